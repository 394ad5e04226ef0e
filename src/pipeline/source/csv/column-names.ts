/** Returns the same text for all spellings of a column's name, such as `modelName`, `model_name` and `Model Name`. */
export function normalName(columnName: string): string {
  return columnName.toLowerCase().replace(/[_\s]/g, "");
}

/** True for names among which are those of the time and of the GPU. */
export function looksLikeHeader(columnNames: readonly string[]): boolean {
  const names = columnNames.map((name) => normalName(name.replaceAll('"', "")));
  return names.includes("uuid") && (names.includes("timestamp") || names.includes("time"));
}
