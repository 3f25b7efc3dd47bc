/** A record of CSV without its line end (RFC 4180, 2), safe for spreadsheets: a cell that they would take for a formula begins with an apostrophe. */
export function csvLine(cells: readonly string[]): string {
  return cells.map(cell).join(',')
}

function cell(text: string): string {
  // A line feed or tab before it does not hide it from every program.
  const inert = /^\s*[=+\-@]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert
}
