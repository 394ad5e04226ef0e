/** v1beta1, v1, v2beta1, v2: as in Kubernetes, a version with "beta" comes before the one that it prepares. */
const schemaName = /^v([1-9]\d{0,5})(?:beta[1-9]\d{0,5})?$/;

/** True for the name of a payload's schema that a newer version of this program has introduced. A name of another form is none.
 *  @param newest the number of the newest schema that this program knows */
export function isNewerSchema(schemaVersion: string, newest: number): boolean {
  const [, number] = schemaName.exec(schemaVersion) ?? [];
  return Number(number) > newest;
}
