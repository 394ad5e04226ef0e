import type { Logger } from "pino";
import { TermEnded } from "../../domain/errors.ts";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Queue } from "../../pipeline/queue/queue.ts";
import type { LeaderElection, Term } from "../election/leader-election.ts";
import type { Executor, RequestedCount } from "../executor/executor.ts";
import type { ServiceRegistry } from "../registry/service-registry.ts";
import { withoutPredecessors } from "../registry/without-predecessors.ts";
import { decideAll, type Requested, type RequestedRole } from "./deciding.ts";
import type { Observed } from "./gather.ts";
import { OwnClock } from "./own-clock.ts";
import { type ScaledRole, scaledRoles, type ScalingPolicy } from "./policy.ts";
import { counted } from "./reason.ts";
import type { ScalingInstruments } from "./scaling-instruments.ts";
import type { Memories, ScalingRecords } from "./scaling-records.ts";
import type { ScalingDecision } from "./scaling-state.ts";

export interface CoordinatorOptions {
  readonly election: LeaderElection;
  readonly records: ScalingRecords;
  readonly executor: Executor;
  readonly services: ServiceRegistry;
  readonly queue: Pick<Queue, "stats">;
  readonly policy: ScalingPolicy;
  readonly instanceId: string;
  readonly instruments: ScalingInstruments;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pause between two decisions. Processes report their figures as often. */
const decisionMs = 5000;
/** The pause before a failed campaign is repeated. */
const retryMs = 1000;

/** Decides how many processes of each role there should be, while it leads.
 *
 *  CAMPAIGNING -elected-> LEADING: every 5 s, it reads the figures, decides, records the decisions, and has the executor carry out
 *  those that change a count
 *  LEADING -the term ends, or a write is refused-> CAMPAIGNING
 *
 *  A decision that cannot be recorded is not carried out. */
export class Coordinator extends BaseService {
  private term: Term | undefined;
  private newest: readonly ScalingDecision[] = [];
  /** The counts that the executor has not accepted yet. */
  private readonly unexecuted = new Map<ScaledRole, ScalingDecision>();
  /** The executor can do its work, as it has said. */
  private isChecked = false;
  private readonly ownClock = new OwnClock();
  private readonly coordinating = this.repeatedError({
    prefix: "the numbers of processes are not decided",
    ended: "the numbers of processes are decided again",
  });
  private readonly checking = this.repeatedError({
    prefix: "decided numbers of processes cannot be carried out",
    ended: "decided numbers of processes can be carried out",
  });
  private readonly reading = this.repeatedError({
    prefix: "the requested numbers of processes cannot be read",
    ended: "the requested numbers of processes are read again",
  });
  private readonly executing = this.repeatedError({
    prefix: "a decided number of processes was not accepted",
    ended: "decided numbers of processes are accepted again",
  });

  constructor(private readonly options: CoordinatorOptions) {
    super("coordinator", options.log);
  }

  override activity(): string {
    if (this.term === undefined) return "stands by: another coordinator leads";
    const counts = this.newest.map(({ role, to }) => `${role}s ${to}`).join(", ");
    return `leads in term ${this.term.revision}${counts === "" ? "" : `: ${counts}`}`;
  }

  protected override async run(): Promise<void> {
    const { election, clock, log } = this.options;
    // also if another one leads: an operator sees at the start what is missing
    await this.check();
    while (!this.stopping.aborted) {
      try {
        const term = await election.campaign(this.stopping, () => this.coordinating.clear());
        if (term === undefined) return;
        log.info({ term: term.revision }, "this coordinator leads");
        await this.lead(term);
      } catch (error) {
        this.coordinating.record(error);
        await clock.sleep(retryMs, this.stopping);
      }
    }
  }

  private async lead(term: Term): Promise<void> {
    const { instruments, clock, log, records } = this.options;
    this.term = term;
    instruments.leads();
    try {
      let { memories } = await records.read(1);
      while (!this.stopping.aborted && !term.ended.aborted) {
        memories = (await this.decide(term, memories)) ?? memories;
        await clock.sleep(decisionMs, AbortSignal.any([this.stopping, term.ended]));
      }
    } catch (error) {
      if (!(error instanceof TermEnded)) throw error;
      instruments.wasRefused();
      log.warn(`a write of this coordinator was refused: ${error.message}`);
    } finally {
      this.term = undefined;
      this.newest = [];
      this.unexecuted.clear();
      instruments.standsBy();
      await term.resign();
    }
  }

  /** @returns the memories for the next decision; undefined if nothing could be recorded */
  private async decide(term: Term, memories: Memories): Promise<Memories | undefined> {
    const { records, instruments, policy, executor, instanceId } = this.options;
    try {
      const checked = this.isChecked ? undefined : this.check();
      const [observed, requested] = await Promise.all([this.observe(), this.requested(term), checked]);
      const input = { observed, requested, memories, policy, executor: executor.name, term, instanceId };
      const { update, decisions } = decideAll(input);
      await records.write(term, update);
      this.newest = decisions;
      this.announceCommands(requested, memories);
      instruments.decided(update.state, decisions);
      for (const change of update.changes) this.announce(change);
      await this.execute(term);
      this.coordinating.clear();
      return update.memories;
    } catch (error) {
      if (error instanceof TermEnded) throw error;
      this.coordinating.record(error);
      return undefined;
    }
  }

  /** What cannot be read is unknown. */
  private async observe(): Promise<Observed> {
    const { services, queue, clock } = this.options;
    const [listed, stats] = await Promise.all([
      services.list().catch(() => undefined),
      queue.stats().catch(() => undefined),
    ]);
    const nowMs = clock.nowMs();
    const instances = listed && this.ownClock.translate(withoutPredecessors(listed.instances), nowMs);
    return { instances, queue: stats, nowMs };
  }

  private async check(): Promise<void> {
    try {
      await this.options.executor.check();
      this.isChecked = true;
      this.checking.clear();
    } catch (error) {
      this.checking.record(error);
    }
  }

  private async requested(term: Term): Promise<Requested> {
    const { executor } = this.options;
    const read = await Promise.allSettled(scaledRoles.map((role) => executor.requested(role, term.revision)));
    const failed = read.find((each) => each.status === "rejected");
    if (failed === undefined) this.reading.clear();
    else this.reading.record(failed.reason);
    const roles = read.map((each, at) => {
      const role = scaledRoles[at] as ScaledRole;
      return [role, this.requestedOf(role, each.status === "fulfilled" ? each.value : undefined)] as const;
    });
    return Object.fromEntries(roles);
  }

  private requestedOf(role: ScaledRole, requested: RequestedCount | undefined): RequestedRole {
    const { count, command } = requested ?? { count: undefined, command: undefined };
    const waiting = this.unexecuted.get(role);
    // a command that came after the decision supersedes it
    if (command !== undefined && command.atMs > Date.parse(waiting?.at ?? "")) this.unexecuted.delete(role);
    // a count that was not accepted yet is not one that others have changed
    return { count: this.unexecuted.has(role) ? undefined : count, command };
  }

  /** Says once what a command has set. */
  private announceCommands(requested: Requested, memories: Memories): void {
    for (const role of scaledRoles) {
      const { command } = requested[role] ?? {};
      if (command === undefined || command.atMs <= (memories[role]?.decidedAtMs ?? 0)) continue;
      const { commandHoldSeconds: seconds } = this.options.policy.steps;
      const text = `a command set ${counted(command.count, role)}; this coordinator does not go below that for ${seconds} s`;
      this.options.log.info({ role, count: command.count }, text);
    }
  }

  private announce(change: ScalingDecision): void {
    const { role, from, to, code, reason } = change;
    this.options.log.info({ role, from, to, code, term: change.term }, `${role}s ${from} -> ${to}: ${reason}`);
    this.unexecuted.set(role, change);
  }

  private async execute(term: Term): Promise<void> {
    const outcomes = await Promise.allSettled([...this.unexecuted].map((each) => this.carryOut(term, each)));
    const failed = outcomes.find((each) => each.status === "rejected");
    if (failed !== undefined) this.executing.record(failed.reason);
    else if (outcomes.length > 0) this.executing.clear();
  }

  private async carryOut(
    term: Term,
    [role, { to: count, reason }]: readonly [ScaledRole, ScalingDecision],
  ): Promise<void> {
    const { executor, records } = this.options;
    const stillLeads = async (): Promise<boolean> => (await records.read(1)).leader?.term === term.revision;
    await executor.scale({ role, count, term: term.revision, reason, stillLeads });
    this.unexecuted.delete(role);
  }
}
