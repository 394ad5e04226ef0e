/** Orders an object's keys as PostgreSQL orders those of a jsonb: by length, then by bytes. So a record reads the same
 *  whether it came through etcd or from the store. */
export function sortedByKey<Value>(object: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  const names = Object.keys(object);
  if (names.length < 2) return object;
  if (names.every(isPlain)) {
    return Object.fromEntries(names.sort(byLength).map((name) => [name, object[name] as Value]));
  }
  const keyed = names.map((name) => ({ name, bytes: Buffer.from(name) }));
  keyed.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes));
  return Object.fromEntries(keyed.map(({ name }) => [name, object[name] as Value]));
}

/** True for printable ASCII, whose order by characters is its order by bytes. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function byLength(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}
