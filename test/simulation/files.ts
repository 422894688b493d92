/*
 * Stands in for `node:fs/promises` below `shared/uploads/` while histories run: the folder that every upload gets for what has to be
 * spooled. Nothing is spooled there, and a disk answers when it answers.
 */
export const mkdtemp = async (prefix: string): Promise<string> => `${prefix}simulated`;
export const rm = async (): Promise<void> => {};
