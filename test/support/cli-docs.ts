/** The part of a Markdown document under a heading, up to the next of its level or above. */
export function section(markdown: string, heading: string): string {
  const lines = markdown.split('\n');
  const start = lines.findIndex((line) => line === heading || line.startsWith(`${heading},`));
  if (start < 0) throw new Error(`no heading ${heading}`);
  const level = /^#+/.exec(heading)![0].length;
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => /^#+ /.test(line) && /^#+/.exec(line)![0].length <= level);
  return rest.slice(0, end < 0 ? undefined : end).join('\n');
}

/** Cells of the rows of all tables in a piece of Markdown, without the heads; `\|` in a cell is a bar. */
export function rowsOf(markdown: string): string[][] {
  const rows = markdown.split('\n').filter((line) => line.startsWith('|'));
  return rows
    .filter((_, i) => !/^\|[-\s|]+\|$/.test(rows[i]!) && !/^\|[-\s|]+\|$/.test(rows[i + 1] ?? ''))
    .map((row) =>
      row
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('\\|', '|')),
    );
}
