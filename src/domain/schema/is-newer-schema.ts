/** v1beta1, v1, v2beta1, v2: as in Kubernetes, a version with "beta" comes before the one that it prepares. */
const schemaName = /^v([1-9]\d{0,5})(?:beta[1-9]\d{0,5})?$/;

/** True if only a newer version of this program knows this schema of payloads. False for a name that is no version.
 *  @param newest the number of the newest schema that this program knows */
export function isNewerSchema(schemaVersion: string, newest: number): boolean {
  const [, number] = schemaName.exec(schemaVersion) ?? [];
  return Number(number) > newest;
}
