/** The path of a request's URL as the router compares it: not decoded, without the query.
 *  @param url after `requestUrl` has made it valid */
export function pathOf(url: string): string {
  const pathAt = url.indexOf("/", "https://".length);
  const queryAt = url.indexOf("?", pathAt);
  return queryAt === -1 ? url.slice(pathAt) : url.slice(pathAt, queryAt);
}
