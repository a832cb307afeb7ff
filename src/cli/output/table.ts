export interface Column {
  title: string;
  align: 'left' | 'right';
}

/** Rows of text under their titles, two spaces apart, without trailing blanks. Widths are counted in code points. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, i) =>
    Math.max(width(column.title), ...rows.map((row) => width(row[i]!))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => pad(cell, { width: widths[i]!, align: columns[i]!.align }))
      .join('  ')
      .trimEnd();
  const titles = columns.map((column) => column.title);
  return [titles, ...rows].map((cells) => `${line(cells)}\n`).join('');
}

export function pad(text: string, to: { width: number; align: 'left' | 'right' }): string {
  const blanks = ' '.repeat(Math.max(0, to.width - width(text)));
  return to.align === 'left' ? text + blanks : blanks + text;
}

export function width(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
