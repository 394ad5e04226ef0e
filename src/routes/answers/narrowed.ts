/** The record or rollup with only the named metrics, and without metrics outside the catalogue.
 *  @param names if undefined, the record is returned as it is */
export function narrowed<RecordOrRollup extends { readonly metrics: Readonly<Record<string, unknown>> }>(
  record: RecordOrRollup,
  names: readonly string[] | undefined,
): RecordOrRollup {
  if (names === undefined) return record;
  const metrics = Object.fromEntries(
    names.flatMap((name) => (name in record.metrics ? [[name, record.metrics[name]]] : [])),
  );
  return { ...record, metrics, ...("custom" in record ? { custom: {} } : {}) };
}
