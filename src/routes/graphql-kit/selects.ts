import { type FieldNode, type GraphQLResolveInfo, Kind } from "graphql";

/** True if an operation selects the field to which a path leads from the resolved field. Aliases do not count, and a field that
 *  a directive leaves out counts as selected.
 *  @param path names of fields, each below the one before it; at least one */
export function selects(
  { fieldNodes, fragments }: Pick<GraphQLResolveInfo, "fieldNodes" | "fragments">,
  [name, ...below]: readonly string[],
): boolean {
  const named: FieldNode[] = [];
  // the set grows while it is read, and has a fragment only once: those that spread the next one twice would take exponential time
  const selections = new Set(fieldNodes.map(({ selectionSet }) => selectionSet));
  for (const set of selections) {
    for (const node of set?.selections ?? []) {
      if (node.kind === Kind.FIELD) {
        if (node.name.value === name) named.push(node);
      } else {
        const isSpread = node.kind === Kind.FRAGMENT_SPREAD;
        selections.add(isSpread ? fragments[node.name.value]?.selectionSet : node.selectionSet);
      }
    }
  }
  return named.length > 0 && (below.length === 0 || selects({ fieldNodes: named, fragments }, below));
}
