/**
 * Lines of CSV as RFC 4180 has them.
 *
 * @module
 */

/**
 * A line. Cells are written as they are: a name that a spreadsheet may take for a formula (it begins with =, +, −
 * or @) is not changed, as scripts find files by it; the guide says how to open such tables.
 */
export function csvLine(cells: readonly string[]): string {
  return cells.map((cell) => /[",\r\n]|^\s|\s$/.test(cell) ? quoted(cell) : cell).join(",") + "\n";
}

function quoted(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}
