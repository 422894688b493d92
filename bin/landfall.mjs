#!/usr/bin/env node
// The `landfall` command. Plain JavaScript that an old Node can read too, so that it can say what is missing.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';

/** The sources are TypeScript that runs as it is, with `using`: Node 24 has both. */
const NEEDED_MAJOR = 24;
/**
 * Streams run about twice as fast, in less memory, when short-lived objects are collected early. V8 reads the flag only at its
 * start; starting again costs some 25 ms, so only commands that read do it.
 */
const YOUNG_FLAG = '--max-semi-space-size=1';
const READING = new Set(['run', 'worker', 'serve', 'example', 'redrive', 'confirm', 'snapshot', 'incremental']);

const args = process.argv.slice(2);
const flags = [...process.execArgv];
if (args.some((arg) => READING.has(arg)) && !flags.includes(YOUNG_FLAG)) flags.push(YOUNG_FLAG);

if (majorOf(process.versions.node) >= NEEDED_MAJOR) {
  if (flags.length === process.execArgv.length) await runHere();
  else startAgain(process.execPath, flags);
} else {
  const node = bundledNode();
  if (node) startAgain(node, flags.includes(YOUNG_FLAG) ? [YOUNG_FLAG] : []);
  else {
    process.stderr.write(
      `landfall: Node ${NEEDED_MAJOR} or newer is needed, this is ${process.versions.node}; install it, or run npm ci without --omit=optional, which brings it along\n`,
    );
    process.exitCode = 2;
  }
}

async function runHere() {
  module.enableCompileCache?.();
  // A checkout has the sources; the package has them compiled.
  const source = new URL('../cli/main.ts', import.meta.url);
  const compiled = new URL('../dist/lib/cli/main.js', import.meta.url);
  const { runProcess } = await import(existsSync(source) ? source.href : compiled.href);
  await runProcess(args);
}

/** Replaces this process, if Node can do that here, else waits for another one and ends as that does. */
function startAgain(node, nodeFlags) {
  const argv = [...nodeFlags, process.argv[1], ...args];
  if (typeof process.execve === 'function') process.execve(node, [node, ...argv], process.env);
  const child = spawn(node, argv, { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const forward = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, forward);
  child.on('error', (error) => {
    process.stderr.write(`landfall: ${node} could not be started (${error.message}); install Node ${NEEDED_MAJOR}\n`);
    process.exitCode = 2;
  });
  child.on('exit', (code, signal) => {
    for (const name of signals) process.off(name, forward);
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 1);
  });
}

/** The Node that this package's optional dependencies bring along. */
function bundledNode() {
  const name = `node-${process.platform}-${process.arch}`;
  try {
    const manifest = module.createRequire(import.meta.url).resolve(`${name}/package.json`);
    const node = join(dirname(manifest), 'bin', 'node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

function majorOf(version) {
  return Number(version.split('.')[0]);
}
