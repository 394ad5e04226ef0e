/** Returns the same text for all spellings of a column's name, such as `modelName`, `model_name` and `Model Name`. */
export function normalName(columnName: string): string {
  return columnName.toLowerCase().replace(/[_\s]/g, "");
}

/** True for names among which are those of the time and of the GPU. */
export function looksLikeHeader(columnNames: readonly string[]): boolean {
  const names = columnNames.map((name) => normalName(name.replaceAll('"', "")));
  return names.includes("uuid") && (names.includes("timestamp") || names.includes("time"));
}

/** The names of columns that every table has. */
export const requiredNames: readonly string[] = ["timestamp", "gpu_id", "uuid", "hostname"];

/** The names of what the API's records have in addition, and what follows from other columns. */
export const derivedNames: readonly string[] = ["telemetry_id", "parent_uuid", "mig_instance_id", "mig_profile"];

/** The names of a column or member that lists metrics outside the catalogue, and labelled series, by name. */
export const customNames: readonly string[] = ["custom", "custom_metrics"];
