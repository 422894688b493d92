/** Now, as an argument: a step never reads the machine's clock itself. */
export type Clock = () => Date;

export const systemClock: Clock = () => new Date();
