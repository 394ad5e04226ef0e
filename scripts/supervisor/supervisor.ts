import type { Logger } from "pino";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import { mergeSettings, type Settings, settingsKey, shutdownSeconds } from "./child-settings.ts";
import { Instance, type Machine, type StopPurpose } from "./instance.ts";
import { type Counts, managedRoles, type ManagedRole } from "./managed-role.ts";
import type { SavedCommands, SavedState, StateFile } from "./saved-state.ts";
import type { ScaleResult, ShownInstance, ShownRole, Status, StopResult } from "./protocol.ts";

export interface SupervisorOptions {
  readonly stateFile: StateFile;
  readonly machine: (settings: () => Settings) => Machine;
  readonly log: Logger;
}

/** The number of processes that a role should have. */
export interface RoleRequest {
  readonly count: number;
  /** Of the leader that asks; absent for a person. */
  readonly term?: number;
  /** The highest term that this supervisor has seen, if etcd no longer knows it. It counts only while it is still the highest: another
   *  leader may have asked meanwhile. */
  readonly supersedes?: number;
}

/** The kill comes this long before everything must have stopped. */
const killMarginMs = 500;
const noCounts: Counts = { streamer: 0, collector: 0, gateway: 0, coordinator: 0, balancer: 0 };

/** Keeps the requested number of processes of each role running. Its state is in a file, so that the next supervisor can go on:
 *  processes do not notice when a supervisor dies. `tick` does the work; call it several times a second. */
export class Supervisor {
  private readonly machine: Machine;
  private counts: Counts;
  private settings: Settings = {};
  private commands: SavedCommands;
  private highestTerm: number | undefined;
  private instances: readonly Instance[];
  private stateError: string | undefined;
  private stopping: Promise<StopResult> | undefined;

  /** Takes the processes of an earlier supervisor over. */
  constructor(private readonly options: SupervisorOptions) {
    this.machine = options.machine(() => this.settings);
    const read = options.stateFile.read();
    // after a restart of the machine nothing is left to take over, and nothing should start unasked
    const isLeft = read?.instances.some(({ process }) => process !== undefined && this.machine.isRunning(process));
    const saved = isLeft ? read : undefined;
    this.counts = { ...noCounts, ...saved?.counts };
    this.settings = saved?.settings ?? {};
    this.commands = saved?.commands ?? {};
    this.highestTerm = saved?.highestTerm;
    this.instances = (saved?.instances ?? []).map((instance) => new Instance(instance, this.machine));
    for (const { name } of this.instances) options.log.info(`${name} is taken over from an earlier supervisor`);
  }

  /** True if it has taken processes over from an earlier supervisor. */
  get hasTakenOver(): boolean {
    return this.instances.some(({ process }) => process !== undefined);
  }

  /** True if nothing runs and nothing is wanted. */
  get isIdle(): boolean {
    return this.instances.length === 0 && managedRoles.every((role) => this.counts[role] === 0);
  }

  get status(): Status {
    const { highestTerm: term, stateError } = this;
    const roles = Object.fromEntries(managedRoles.map((role) => [role, this.showRole(role)] as const));
    return {
      roles: roles as Status["roles"],
      instances: this.sorted().map((instance) => this.show(instance)),
      ...(term === undefined ? {} : { term }),
      ...(stateError === undefined ? {} : { error: stateError }),
    };
  }

  get currentSettings(): Settings {
    return this.settings;
  }

  /** What the settings would be after a command with these. */
  settingsWith(typed: Settings): Settings {
    return mergeSettings(this.settings, typed);
  }

  /** Carries out a person's command. If the state cannot be written, nothing changes.
   *  @throws the error of the file system */
  scale(counts: Partial<Counts>, typed: Settings): ScaleResult {
    const next = { ...this.counts, ...counts };
    this.save({ counts: next, commands: this.commandsWith(counts), settings: this.settingsWith(typed) });
    const before = new Set(this.instances.filter(({ phase }) => phase !== "STOPPING").map(({ name }) => name));
    this.reconcile();
    const wanted = this.instances.filter((instance) => this.isWanted(instance)).map(({ name }) => name);
    return {
      started: wanted.filter((name) => !before.has(name)),
      stopping: [...before].filter((name) => !wanted.includes(name)),
      outdated: this.status.instances.filter(({ outdated }) => outdated).map(({ name }) => name),
    };
  }

  /** Sets the number of processes of a role.
   *  @returns false if a leader of a later term has asked before, which the request does not supersede
   *  @throws the error of the file system */
  scaleRole(role: ManagedRole, { count, term, supersedes }: RoleRequest): boolean {
    const { highestTerm = 0 } = this;
    if (term !== undefined && term < highestTerm) {
      if (supersedes !== highestTerm) return false;
      this.options.log.warn(
        `etcd has lost what it had, and counts terms from the beginning: term ${term} supersedes ${highestTerm}`,
      );
    }
    const who = term === undefined ? { commands: this.commandsWith({ [role]: count }) } : { highestTerm: term };
    this.save({ counts: { ...this.counts, [role]: count }, ...who });
    this.reconcile();
    return true;
  }

  /** Ends the process, and starts it again with the settings of now.
   *  @returns false if there is no such instance
   *  @throws the error of the file system */
  restart(name: string, typed: Settings): boolean {
    const instance = this.instances.find((each) => each.name === name && this.isWanted(each));
    if (instance === undefined) return false;
    this.save({ settings: this.settingsWith(typed) });
    this.stopInstance(instance, "restart");
    return true;
  }

  /** Ends all processes, for good: no other command is accepted from now on. `tick` must go on meanwhile. A second call waits for
   *  the first. */
  stop(): Promise<StopResult> {
    return (this.stopping ??= this.stopAll());
  }

  private commandsWith(counts: Partial<Counts>): SavedCommands {
    const atMs = this.machine.nowMs();
    const commands = Object.entries(counts).map(([role, count]) => [role, { count, atMs }] as const);
    return { ...this.commands, ...Object.fromEntries(commands) };
  }

  private async stopAll(): Promise<StopResult> {
    this.counts = noCounts;
    const stopped = this.sorted().filter(({ process }) => process !== undefined);
    this.reconcile();
    while (this.instances.length > 0) await Bun.sleep(20);
    return {
      stopped: stopped.map(({ name }) => name),
      killed: stopped.filter(({ killed }) => killed).map(({ name }) => name),
    };
  }

  /** Writes the files about the processes again. */
  writeFiles(): void {
    this.saveOrReport();
    for (const { name, process } of this.instances) if (process !== undefined) this.machine.remember(name, process);
  }

  /** Starts, notices and removes what is due. */
  tick(): void {
    for (const instance of this.instances) {
      const { restarts } = instance;
      // at once: a process that is not in the file would not be taken over if this supervisor died now
      if (instance.tick()) this.saveOrReport();
      if (instance.restarts > restarts) this.logFailure(instance);
    }
    const left = this.instances.filter(({ phase }) => phase !== "REMOVED");
    const hasRemoved = left.length < this.instances.length;
    this.instances = left;
    if (hasRemoved) this.saveOrReport();
    this.reconcile();
  }

  private reconcile(): void {
    for (const instance of this.instances) if (!this.isWanted(instance)) this.stopInstance(instance, "remove");
    const names = new Set(this.instances.map(({ name }) => name));
    const missing = managedRoles.flatMap((role) =>
      Array.from({ length: this.counts[role] }, (_, index) => ({ role, number: index + 1 })),
    );
    const added = missing
      .filter(({ role, number }) => !names.has(`${role}-${number}`))
      .map((place) => new Instance({ ...place, restarts: 0 }, this.machine));
    this.instances = [...this.instances, ...added];
  }

  private isWanted({ role, number }: Instance): boolean {
    return number <= this.counts[role];
  }

  private stopInstance(instance: Instance, purpose: StopPurpose): void {
    instance.stop(purpose, this.machine.nowMs() + shutdownSeconds(this.settings) * 1000 - killMarginMs);
  }

  /** Changes the state once it is in the file. */
  private save(change: Partial<Omit<SavedState, "counts" | "instances">> & { readonly counts?: Counts }): void {
    if (this.stopping !== undefined) throw new Error("everything is being stopped; repeat the command in a moment");
    const { highestTerm, ...rest } = { ...this.toSaved(), ...change };
    this.options.stateFile.write({ ...rest, ...(highestTerm === undefined ? {} : { highestTerm }) });
    if (change.counts !== undefined) this.counts = change.counts;
    this.settings = rest.settings;
    this.commands = rest.commands ?? {};
    this.highestTerm = highestTerm;
  }

  /** What has happened to a process stays true even if it cannot be written. */
  private saveOrReport(): void {
    try {
      if (this.isIdle) this.options.stateFile.remove();
      else this.options.stateFile.write(this.toSaved());
      this.stateError = undefined;
    } catch (error) {
      const text = (error as Error).message;
      if (this.stateError !== text) this.options.log.error(text);
      this.stateError = text;
    }
  }

  private toSaved(): SavedState {
    const { counts, commands, settings, highestTerm } = this;
    const instances = this.instances.map((instance) => instance.toSaved());
    return { counts, commands, settings, instances, ...(highestTerm === undefined ? {} : { highestTerm }) };
  }

  private sorted(): readonly Instance[] {
    return managedRoles.flatMap((role) =>
      this.instances.filter((instance) => instance.role === role).sort((a, b) => a.number - b.number),
    );
  }

  private showRole(role: ManagedRole): ShownRole {
    const { [role]: command } = this.commands;
    const count = this.counts[role];
    if (command === undefined) return { count };
    return { count, command: { count: command.count, at: formatTimestamp(command.atMs) } };
  }

  private show(instance: Instance): ShownInstance {
    const { name, role, phase, process, restarts, lastError, isCrashLoop } = instance;
    // the balancer reads hardly any settings, and scale-restart leaves it alone
    const isOutdated =
      role !== "balancer" && process !== undefined && process.settingsKey !== settingsKey(this.settings);
    return {
      ...{ name, role, phase, restarts, is_crash_loop: isCrashLoop, outdated: isOutdated && this.isWanted(instance) },
      ...(process === undefined ? {} : { pid: process.pid, port: process.port }),
      ...(lastError === undefined ? {} : { last_error: lastError }),
    };
  }

  private logFailure({ name, lastError, restarts, isCrashLoop }: Instance): void {
    const again = isCrashLoop ? "it ends again and again; the next start follows" : "it is started again";
    this.options.log.error({ name, restarts }, `${name}: ${lastError}; ${again}`);
  }
}
