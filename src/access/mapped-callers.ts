import { isDeepStrictEqual } from "node:util";
import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import { BaseService } from "../kit/base-service.ts";
import type { Clock } from "../kit/clock.ts";
import { defined } from "../kit/defined.ts";
import { Caller, type CallerKind } from "./caller.ts";
import type { RereadFile } from "./file/reread-file.ts";
import { GrantMapping, type Identity, type MappedGrant, type MappingEntry } from "./grant-mapping.ts";

/** The pause between two looks at the file and at the callers' expiry. */
const readEveryMs = 2000;
/** Callers in memory. Another one ends the one that was used least recently, with what it has open. */
const maxCallers = 10_000;

/** Someone whom the mapping file may grant something. */
export interface Person {
  readonly kind: CallerKind;
  /** Names the person's credential to its source, at any gateway. */
  readonly reference: string;
  /** For the audit log. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly identity: Identity;
  /** When the credential expires. */
  readonly expiresAtMs: number;
}

interface Entry {
  readonly person: Person;
  readonly caller: Caller;
}

export interface MappedCallersOptions {
  readonly file: RereadFile<MappingEntry>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The callers whose grants come from the mapping file. It reads the file again every two seconds. A caller ends, with what it has
 *  open, when it expires and when the file grants something else than before. */
export class MappedCallers extends BaseService {
  private mapping = new GrantMapping([]);
  private entriesInFile: readonly MappingEntry[] = [];
  private readonly callers = new LRUCache<string, Entry>({
    max: maxCallers,
    dispose: ({ caller }) => caller.end(),
  });
  private readonly fileError = this.repeatedError({
    prefix: "what people may do",
    ended: "every entry of AUTH_MAPPING_FILE is usable",
  });

  constructor(private readonly options: MappedCallersOptions) {
    super("mapping", options.log);
  }

  /** @returns the caller for this person, the same one until it ends; undefined if the credential has expired, or the file grants
   *  nothing */
  callerOf(person: Person): Caller | undefined {
    const known = this.known(person.reference);
    if (known !== undefined) return known;
    if (person.expiresAtMs <= this.options.clock.nowMs()) return undefined;
    const granted = this.mapping.grantOf(person.identity);
    if (granted === undefined) return undefined;
    const { kind, reference, id, name, expiresAtMs } = person;
    const caller = new Caller({ id, name, expiresAtMs, ...granted }, kind, reference);
    this.callers.set(reference, { person, caller });
    return caller;
  }

  /** @returns the caller with this reference, if it is in memory and has not ended */
  known(reference: string): Caller | undefined {
    const entry = this.callers.get(reference);
    if (entry === undefined || entry.person.expiresAtMs > this.options.clock.nowMs()) return entry?.caller;
    this.endCaller(reference);
    return undefined;
  }

  /** Ends a caller. */
  endCaller(reference: string): void {
    this.callers.delete(reference);
  }

  /** The references of the callers in memory that begin with a text. */
  referencesWith(start: string): string[] {
    return [...this.callers.keys()].filter((reference) => reference.startsWith(start));
  }

  /** What the file grants to someone; undefined if that is nothing. */
  grantOf(identity: Identity): MappedGrant | undefined {
    return this.mapping.grantOf(identity);
  }

  /** Reads the file, if it has changed, and ends the callers that are no longer valid. Never throws. */
  async refresh(): Promise<void> {
    const { entries, problems } = await this.options.file.read();
    if (problems.length === 0) this.fileError.clear();
    else this.fileError.record(problems.join("; "));
    if (entries !== this.entriesInFile) this.mapping = new GrantMapping(entries);
    this.entriesInFile = entries;
    for (const [reference, entry] of [...this.callers.entries()]) if (!this.isValid(entry)) this.endCaller(reference);
  }

  protected override open(): Promise<void> {
    return this.refresh();
  }

  protected override async run(): Promise<void> {
    while (!this.stopping.aborted) {
      await this.options.clock.sleep(readEveryMs, this.stopping);
      await this.refresh();
    }
  }

  private isValid({ person, caller: { grant } }: Entry): boolean {
    const { scopes, selector } = grant;
    const granted = this.mapping.grantOf(person.identity);
    const isSame = granted !== undefined && isDeepStrictEqual(granted, { scopes, ...defined({ selector }) });
    return isSame && person.expiresAtMs > this.options.clock.nowMs();
  }
}
