// What serverless.yml cannot say: the functions are bundled before they are packaged or invoked, and the pipelines' schedules
// become part of the stack.
module.exports = class LandfallPlugin {
  constructor(serverless, options) {
    const { service } = serverless;
    if (Number(process.versions.node.split('.')[0]) < 24) {
      throw new serverless.classes.Error(
        `Node 24 is needed, this is ${process.version}: install it, or run "npm ci" without --omit=optional, which brings it along`,
      );
    }
    const build = async (names) => (await import('./build.ts')).buildFunctions(names ? { names } : {});

    const deploysBucket = () => {
      // Not in serverless.yml, since `invoke local` would ask the account for it.
      service.provider.environment.LANDFALL_BUCKET = { Ref: 'LandingBucket' };
    };

    this.hooks = {
      'before:package:initialize': async () => {
        deploysBucket();
        const { pipelineResources } = await import('./pipeline-resources.ts');
        Object.assign(service.resources.Resources, await pipelineResources(service.custom.prefix));
        await build();
      },
      'before:deploy:function:initialize': async () => {
        deploysBucket();
        await build([options.function]);
      },
      'before:invoke:local:invoke': () => build([options.function]),
    };
  }
};
