const outers = new WeakMap<Request, Request>();

/** A request that the process sends to itself in order to answer another one: it has the caller of that one, and ends with it.
 *  @param pathAndQuery of something that can be read */
export function innerRequest(outer: Request, pathAndQuery: string): Request {
  const inner = new Request(`http://gateway${pathAndQuery}`, {
    headers: { accept: "application/json" },
    signal: outer.signal,
  });
  outers.set(inner, outer);
  return inner;
}

/** The request that this one helps to answer; undefined for a client's own. */
export function outerOf(request: Request): Request | undefined {
  return outers.get(request);
}
