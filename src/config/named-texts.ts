/** Reads a list such as `a=1,b=two%20words`.
 *  @returns each text under its name
 *  Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables */
export function namedTexts(list: string | undefined): Record<string, string> {
  const pairs = (list ?? "").split(",").flatMap((pair): [string, string][] => {
    const at = pair.indexOf("=");
    return at === -1 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())]];
  });
  return Object.fromEntries(pairs);
}

/** A text that is not encoded as in URLs is taken as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
