/** The record or rollup with only the named metrics, and without metrics outside the catalogue.
 *  @param names undefined for all metrics */
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
