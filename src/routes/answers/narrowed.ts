/** A record with only some of its metrics, and without those that the catalogue does not know.
 *  @param names undefined for the record as it is */
export function narrowed<Of extends { readonly metrics: Readonly<Record<string, unknown>> }>(
  record: Of,
  names: readonly string[] | undefined,
): Of {
  if (names === undefined) return record;
  const metrics = Object.fromEntries(
    names.flatMap((name) => (name in record.metrics ? [[name, record.metrics[name]]] : [])),
  );
  return { ...record, metrics, ...("custom" in record ? { custom: {} } : {}) };
}
