import type { AuditTrail, RefusalResult } from "../../../access/audit.ts";
import { Caller } from "../../../access/caller.ts";
import { scopeMeanings } from "../../../access/scope.ts";
import { clientNetwork } from "../../../kit/ip-address.ts";
import { ApiError } from "../api-error.ts";
import type { ScopeRule } from "./access-rule.ts";

/** Who has sent a request, and from where. */
export class Requester {
  /** What the request changes, once a handler knows it; by default, its path. */
  target: string | undefined;
  private network: string | undefined;

  constructor(
    readonly caller: Caller,
    private readonly address: string,
    private readonly trail: AuditTrail,
  ) {}

  /** Whose costs the request counts as: the key's or the person's, or else those of the address. */
  get client(): string {
    const { kind, grant } = this.caller;
    if (grant.id === "") return (this.network ??= clientNetwork(this.address) ?? (this.address || "unknown"));
    return kind === "key" ? `key ${grant.id}` : grant.id;
  }

  /** @param action names what has the rule, for the audit log
   *  @throws ApiError 403 if the caller lacks the scope, or has a selector although the rule refuses selectors */
  require(rule: ScopeRule, action: string, target: string): void {
    const { scopes, selector } = this.caller.grant;
    const { scope } = rule;
    if (!this.caller.may(scope)) {
      this.refused(action, target, "forbidden");
      throw new ApiError(403, "forbidden", {
        message: `${this.caller.shownName} has the scope ${scopes.join(", ")}; this needs ${scope} (${scopeMeanings[scope]})`,
        details: { needed: scope, scopes },
      });
    }
    if (selector === undefined) return;
    if (rule.selectors === "narrowed" || rule.selectors === "same") return;
    this.refused(action, target, "forbidden");
    throw new ApiError(403, "forbidden", {
      message: `${this.caller.shownName} has a selector; this is about the whole pipeline, and needs a caller without one`,
      details: { needed: scope, selector },
    });
  }

  /** Tells the audit log that something was changed, or that the change failed. */
  changed(action: string, target: string, result: string): void {
    this.trail.changed({ ...this.who(), action, target: this.target ?? target, result });
  }

  /** Tells the audit log that the request was refused. */
  refused(action: string, target: string, result: RefusalResult): void {
    this.trail.refused({ ...this.who(), action, target, result });
  }

  /** Tells the audit log that someone has signed in or out, or may not.
   *  @param who is known only now */
  signed(
    who: { readonly id: string; readonly name: string },
    action: "signIn" | "signOut",
    result: "ok" | "forbidden",
  ): void {
    const entry = { keyId: who.id, keyName: who.name, address: this.address, action, target: "", result };
    if (result === "ok") this.trail.changed(entry);
    else this.trail.refused({ ...entry, result });
  }

  private who() {
    const { id: keyId, name: keyName } = this.caller.grant;
    return { keyId, keyName, address: this.address };
  }
}

/** Has no scope. */
const unknown = new Caller({ id: "", name: "", scopes: [], expiresAtMs: undefined });

/** Someone without a valid key. */
export function stranger(address: string, trail: AuditTrail): Requester {
  return new Requester(unknown, address, trail);
}

const requesters = new WeakMap<Request, Requester>();
const unchecked = stranger("", { changed: () => undefined, refused: () => undefined });

/** Notes who has sent a request. */
export function noteRequester(request: Request, requester: Requester): void {
  requesters.set(request, requester);
}

/** Notes that `copy` has the sender of `request`. @returns the copy */
export function withRequesterOf(request: Request, copy: Request): Request {
  noteRequester(copy, requesterOf(request));
  return copy;
}

/** Who has sent a request, as `accessCheck` has noted it. For a request that was not checked, it is one without scopes. */
export function requesterOf(request: Request): Requester {
  return requesters.get(request) ?? unchecked;
}
