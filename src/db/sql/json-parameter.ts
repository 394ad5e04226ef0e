/** A value as the text of a JSON parameter, which `json_to_recordset` reads. PostgreSQL cannot store NUL or half of a surrogate pair:
 *  both become U+FFFD. */
export function jsonParameter(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? storable(part) : part));
}

function storable(text: string): string {
  return text.replaceAll("\u0000", "\ufffd").toWellFormed();
}
