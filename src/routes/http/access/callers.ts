import { Caller } from "../../../access/caller.ts";

const callers = new WeakMap<Request, Caller>();

/** Has no scope. */
const unchecked = new Caller({ id: "", name: "unchecked", scopes: [], expiresAtMs: undefined });

/** Notes who has sent a request. */
export function noteCaller(request: Request, caller: Caller): void {
  callers.set(request, caller);
}

/** Notes that `copy` has the caller of `request`. @returns the copy */
export function withCallerOf(request: Request, copy: Request): Request {
  noteCaller(copy, callerOf(request));
  return copy;
}

/** Who has sent a request, as `accessCheck` has noted it. For a request that was not checked, it is a caller without scopes. */
export function callerOf(request: Request): Caller {
  return callers.get(request) ?? unchecked;
}
