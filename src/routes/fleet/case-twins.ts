import { quoted } from "../../domain/cut-text.ts";

/** So many twins are named. */
const namedMax = 20;

/** Finds names that differ only by upper and lower case: two devices or hosts, of which one is probably a sender's way of writing the
 *  other. They stay two. Of each such pair one name at least is not written as NVIDIA and DNS write them, so that the others need not be
 *  remembered. */
export class CaseTwins {
  /** The names that are written in another way, in lower case; each with the first that was found. */
  private readonly unusual = new Map<string, string>();
  private untold: string[] = [];
  private found = 0;

  /** @param what the names are of, for the sentence
   *  @param has says whether a name is known */
  constructor(
    private readonly what: string,
    private readonly has: (name: string) => boolean,
  ) {}

  /** How many names are twins of an earlier one. */
  get count(): number {
    return this.found;
  }

  /** Call it once for each name, when it is known. */
  add(name: string): void {
    const lower = name.toLowerCase();
    const usual = usualOf(lower);
    const unusual = this.unusual.get(lower);
    if (name !== usual && unusual === undefined) this.unusual.set(lower, name);
    const twin = name !== usual && this.has(usual) ? usual : unusual;
    if (twin === undefined) return;
    this.found += 1;
    if (this.found > namedMax) return;
    this.untold.push(
      `${this.what} ${quoted(twin)} and ${quoted(name)} differ only by upper and lower case, and are kept apart; correct the sender that writes one of them differently`,
    );
  }

  /** A sentence for each twin that was found since the last call. */
  take(): readonly string[] {
    const { untold } = this;
    if (untold.length > 0) this.untold = [];
    return untold;
  }
}

/** A name as NVIDIA writes it, `GPU-` or `MIG-` and lower case; any other one in lower case. */
function usualOf(lower: string): string {
  return lower.startsWith("gpu-") || lower.startsWith("mig-")
    ? lower.slice(0, 3).toUpperCase() + lower.slice(3)
    : lower;
}
