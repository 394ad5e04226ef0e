import type { GpuBounds } from "../domain/gpu-bounds.ts";
import { defined } from "../kit/defined.ts";
import type { Scope } from "./scope.ts";

/** What a provider or a certificate says of someone. */
export interface Identity {
  /** The subject that an OpenID provider names. */
  readonly subject?: string;
  /** The groups that an OpenID provider names. */
  readonly groups?: readonly string[];
  /** The names in a client certificate. */
  readonly certificate?: readonly string[];
}

/** What someone may do and see. */
export interface MappedGrant {
  /** Each once, in order. */
  readonly scopes: readonly Scope[];
  /** Undefined: everything. */
  readonly selector?: GpuBounds;
}

/** A grant, and whom it fits: who has the subject, all of the groups and one of the certificate's names, as far as they are given. */
export interface MappingEntry extends MappedGrant {
  readonly subject?: string;
  readonly groups?: readonly string[];
  readonly certificate?: string;
}

/** Tells what people and certificates may do. */
export class GrantMapping {
  constructor(private readonly entries: readonly MappingEntry[]) {}

  /** What someone may do, by the entries that fit. The scopes of entries without a selector add up, and so do the selectors of
   *  entries with the same scopes that bound the same one list. Other entries cannot be added without giving more than each of them
   *  does: then the first one counts alone.
   *  @returns undefined if no entry fits */
  grantOf(identity: Identity): MappedGrant | undefined {
    const [first, ...others] = this.entries.filter((entry) => fits(entry, identity));
    if (first === undefined) return undefined;
    const all = [first, ...others];
    if (all.every(({ selector }) => selector === undefined)) {
      return { scopes: [...new Set(all.flatMap(({ scopes }) => scopes))].sort() };
    }
    const list = onlyListOf(first.selector);
    const isSum = all.every((entry) => hasSameScopes(entry, first) && onlyListOf(entry.selector) === list);
    const { scopes, selector } = first;
    if (list === undefined || !isSum) return { scopes, ...defined({ selector }) };
    const names = new Set(all.flatMap((entry) => entry.selector?.[list] ?? []));
    return { scopes, selector: { [list]: [...names].sort() } };
  }
}

function fits({ subject, groups, certificate }: MappingEntry, identity: Identity): boolean {
  if (subject !== undefined && subject !== identity.subject) return false;
  if (groups?.every((group) => identity.groups?.includes(group)) === false) return false;
  if (certificate !== undefined && identity.certificate?.includes(certificate) !== true) return false;
  return (subject ?? groups ?? certificate) !== undefined;
}

/** The list of bounds that have no other one. */
function onlyListOf(bounds: GpuBounds | undefined): keyof GpuBounds | undefined {
  const lists = Object.keys(bounds ?? {}) as (keyof GpuBounds)[];
  return lists.length === 1 ? lists[0] : undefined;
}

function hasSameScopes(a: MappedGrant, b: MappedGrant): boolean {
  return a.scopes.join() === b.scopes.join();
}
