/** The prefixes of a request's keys, each up to its second slash: what rights in etcd are granted for.
 *  @param request of any kind; its fields `key` are looked for at any depth */
export function prefixesOf(request: unknown): string[] {
  const found = new Set<string>();
  collect(request, found);
  return [...found].sort();
}

function collect(part: unknown, found: Set<string>): void {
  if (typeof part !== "object" || part === null || Buffer.isBuffer(part)) return;
  for (const [name, value] of Object.entries(part)) {
    if (name !== "key") collect(value, found);
    else if (Buffer.isBuffer(value) || typeof value === "string") {
      const [, first] = /^(\/[^/]*\/)/.exec(value.toString()) ?? [];
      if (first !== undefined) found.add(first);
    }
  }
}
