/** Where people go who came from no page, or from none of this gateway. */
const defaultPath = "/swagger/";

/** The path of a page of this gateway, in printable ASCII. Browsers read `//` and `/\` as the beginning of another host's URL. */
const pathPattern = /^\/(?![/\\])[!-[\]-~]{0,1999}$/;

/** The page to which a person returns after signing in. A text that could lead elsewhere, or to signing in again, leads to the
 *  documentation.
 *  @param given the path and query; null: none */
export function returnPath(given: string | null): string {
  if (given === null || !pathPattern.test(given) || given.startsWith("/sign-")) return defaultPath;
  return given;
}
