import { Elysia } from "elysia";
import { type Access, anyone } from "../../../access/access.ts";
import type { AuditTrail } from "../../../access/audit.ts";
import { shortened } from "../../../domain/cut-text.ts";
import { ApiError } from "../api-error.ts";
import { OriginRule } from "../door/origin-rule.ts";
import { type AccessRule, ruleOf, type RuledRoute } from "./access-rule.ts";
import { clientAddress, type TrustedHops } from "./client-address.ts";
import { outerOf } from "./inner-request.ts";
import { credentialOf } from "./credentials.ts";
import { noteRequester, Requester, requesterOf, stranger } from "./requester.ts";
import { certificateOf, certificateProblem } from "./shown-certificate.ts";
import { isOpenedPage, mayUseCookies } from "./session-cookie.ts";
import { SignInNeeded } from "./sign-in-needed.ts";
import { UnauthenticatedLimit } from "./unauthenticated-limit.ts";

const bearerChallenge = 'Bearer realm="gpu-telemetry"';
/** Basic comes first, because browsers ask for a password only if they find it first. */
const challenge = `Basic realm="gpu-telemetry", charset="UTF-8", ${bearerChallenge}`;

export interface AccessCheckOptions {
  readonly access: Access;
  readonly trail: AuditTrail;
  /** Whether X-Forwarded-For has the client's address: only behind proxies that set this header. */
  readonly trustsForwardedFor: TrustedHops;
  /** Maximum number of requests a second without a valid credential from one address; 0: no limit. */
  readonly unauthenticatedPerSecond: number;
  readonly door: { readonly corsOrigins: readonly string[] | undefined };
  /** Returns every route of the app; called only after the app is composed. */
  readonly routes: () => readonly RuledRoute[];
}

/** Refuses requests whose caller may not use their route: 401 without a valid key, 403 without the route's scope. Every route must
 *  declare its rule; a route that has none is refused. The check is a hook of the matched route, so that what is checked is what
 *  answers. Tells the audit log of refusals, and of changes once they are answered. Mount it before the routes. */
export function accessCheck(options: AccessCheckOptions) {
  const { access, trail, trustsForwardedFor } = options;
  const rules = new Rules(options.routes);
  const origins = new OriginRule(options.door.corsOrigins);
  const limit = new UnauthenticatedLimit(options.unauthenticatedPerSecond);
  const { signIn } = access;
  return new Elysia({ name: "access" })
    .onTransform({ as: "global" }, async ({ request, route, server, set }) => {
      const outer = outerOf(request);
      if (outer !== undefined) return checkInner(request, requesterOf(outer), rules.at(request.method, route));
      const address = clientAddress(request, server, trustsForwardedFor) ?? "";
      if (!access.isRequired) return noteRequester(request, new Requester(anyone, address, trail));
      const { page, asksForKey, action, countsAs = 0, ...rule } = rules.at(request.method, route);
      const isOpen = rule.scope === "open" || (page !== undefined && access.openPages.includes(page));
      if (isOpen) {
        noteRequester(request, stranger(address, trail));
        return countsAs === 0 ? undefined : limit.count(address, countsAs);
      }
      const cookie = signIn !== undefined && mayUseCookies(request, origins) ? signIn.sessionCookie : undefined;
      const credential = credentialOf(request, cookie) ?? certificateOf(request, origins);
      const attempt = limit.attempt(address);
      const caller = credential && (await access.identify(credential, attempt));
      if (caller === undefined) {
        const place = asksForKey === true ? undefined : signIn;
        const leadsTo = credential?.kind !== "bearer" && isOpenedPage(request) ? place : undefined;
        const note = (target: string) => stranger(address, trail).refused(action, target, "unauthenticated");
        if (leadsTo === undefined) note(targetWithReason(request, attempt.reason));
        await attempt.admit();
        if (leadsTo !== undefined) throw new SignInNeeded(leadsTo, targetOf(request));
        set.headers["www-authenticate"] = challengeFor(request, place !== undefined);
        throw unauthenticated(request);
      }
      const requester = new Requester(caller, address, trail);
      if (rule.scope !== "any") requester.require(rule, action, targetOf(request));
      noteRequester(request, requester);
    })
    .onAfterResponse({ as: "global" }, ({ request, route, set }) => {
      // undefined for a request that no route matches
      noteChange(request, rules.find(request.method, route), Number(set.status ?? 200));
    });
}

/** A request of the process itself is its outer request's caller's. */
function checkInner(request: Request, requester: Requester, { action, ...rule }: NamedRule): void {
  if (rule.scope !== "open" && rule.scope !== "any") requester.require(rule, action, targetOf(request));
  noteRequester(request, requester);
}

/** Tells the audit log of a request that was answered, if it was one for a change. */
function noteChange(request: Request, rule: NamedRule | undefined, status: number): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  // pushed telemetry is no change of the pipeline; its messages name who sent them
  if (rule === undefined || ["any", "open", "read", "write"].includes(rule.scope)) return;
  // a refused request has no requester, and is in the log already
  requesterOf(request).changed(rule.action, targetOf(request), status < 400 ? "ok" : String(status));
}

type NamedRule = AccessRule & { readonly action: string };

/** The rules of an app's routes. */
class Rules {
  private rules: ReadonlyMap<string, NamedRule | undefined> | undefined;

  constructor(private readonly routes: () => readonly RuledRoute[]) {}

  /** @throws Error if the route declares no rule */
  at(method: string, path: string): NamedRule {
    const rule = this.find(method, path);
    if (rule === undefined) throw new Error(`${method} ${path} declares no access rule`);
    return rule;
  }

  find(givenMethod: string, path: string): NamedRule | undefined {
    const method = givenMethod.toUpperCase();
    this.rules ??= new Map(this.routes().map((route) => [`${route.method} ${route.path}`, ruleOf(route)]));
    return this.rules.get(`${method === "HEAD" ? "GET" : method} ${path}`);
  }
}

/** What a client may send. Where people can sign in, a page whose session has ended must not make the browser ask for a password. */
function challengeFor({ headers }: Request, canSignIn: boolean): string {
  return canSignIn && headers.has("sec-fetch-mode") ? bearerChallenge : challenge;
}

/** The path and the query, without the text of a ticket: one that was refused may not have been used up, and made-up ones are the same
 *  refusal. */
function targetOf({ url }: Request): string {
  return url.slice(url.indexOf("/", "https://".length)).replace(/([?&]ticket=)[^&]*/g, "$1...");
}

/** The target, and why the token was refused. The path is cut, so that the audit log, which cuts the whole text, has the reason. */
function targetWithReason(request: Request, reason: string | undefined): string {
  const target = targetOf(request);
  return reason === undefined ? target : `${shortened(target, 150)} (token: ${reason})`;
}

/** The same for every key that is not valid: an unknown one, one with a wrong secret, and one that was revoked or has expired. */
function unauthenticated(request: Request): ApiError {
  const problem = request.headers.has("authorization") ? undefined : certificateProblem(request);
  if (problem !== undefined) {
    const message = `This needs a key or a known client certificate; ${problem}`;
    return new ApiError(401, "unauthenticated", { message, details: {} });
  }
  const message = request.headers.has("authorization")
    ? "The key is not valid; send a valid one as Authorization: Bearer KEY, or as the password of Basic authentication"
    : "This needs a key; send it as Authorization: Bearer KEY, or as the password of Basic authentication";
  return new ApiError(401, "unauthenticated", { message, details: {} });
}
