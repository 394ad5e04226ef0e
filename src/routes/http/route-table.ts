/** A route as Elysia lists it. */
export interface RoutePattern {
  readonly method: string;
  /** e.g. `/api/v1/gpus/:uuid` */
  readonly path: string;
}

/** @returns the methods of a path's routes, OPTIONS, and HEAD if GET is one of the methods; empty if no route has the path */
export function allowedMethods(routes: readonly RoutePattern[], pathname: string): string[] {
  const segments = segmentsOf(pathname);
  const methods = routes.filter(({ path }) => matches(segmentsOf(path), segments)).map(({ method }) => method);
  if (methods.length === 0) return [];
  return [...new Set([...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"])];
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false;
  return pattern.every((part, at) => (part.startsWith(":") ? segments[at] !== "" : part === segments[at]));
}

/** The segments of a path. A trailing slash adds no segment, because routes answer with and without it. */
function segmentsOf(path: string): string[] {
  return path.replace(/\/$/, "").split("/");
}
