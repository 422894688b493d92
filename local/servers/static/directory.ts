import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** As nginx writes it: one link an entry, percent-encoded, a slash behind a directory. */
export async function htmlIndex(path: string, pathname: string): Promise<string> {
  const rows = ['<a href="../">../</a>'];
  for (const { name, isFolder } of await entriesOf(path)) {
    const label = name + (isFolder ? '/' : '');
    // "./" keeps a name with a colon from being read as a scheme.
    rows.push(`<a href="./${encodeURIComponent(name)}${isFolder ? '/' : ''}">${escapeHtml(label)}</a>`);
  }
  const title = `Index of ${escapeHtml(pathname)}`;
  return `<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>${title}</title></head>\n<body><h1>${title}</h1><pre>\n${rows.join('\n')}\n</pre></body></html>\n`;
}

/** `{ "files": [{ "path", "url", "sizeBytes", "lastModified" }] }` for all files below, sorted; `url` is relative to the index. */
export async function jsonIndex(path: string): Promise<string> {
  const files: { path: string; url: string; sizeBytes: number; lastModified: string }[] = [];
  const walk = async (folder: string, above: string): Promise<void> => {
    for (const { name, isFolder } of await entriesOf(folder)) {
      const relative = above + name;
      if (isFolder) {
        await walk(join(folder, name), `${relative}/`);
        continue;
      }
      const { size, mtime } = await stat(join(folder, name));
      const url = `./${relative.split('/').map(encodeURIComponent).join('/')}`;
      files.push({ path: relative, url, sizeBytes: size, lastModified: mtime.toISOString() });
    }
  };
  await walk(path, '');
  return JSON.stringify({ files });
}

/** Files and directories by name; symbolic links and what else a folder may hold are left out. */
async function entriesOf(path: string): Promise<{ name: string; isFolder: boolean }[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
