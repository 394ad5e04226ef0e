import type { QueueStats } from "../../pipeline/queue/queue.ts";
import type { ServiceInstance } from "../registry/service-instance.ts";
import type { ScaledRole } from "./policy.ts";
import type { ScalingSignals, Signal } from "./signals.ts";

/** What was read from the running pipeline. A part that could not be read is undefined. */
export interface Observed {
  readonly queue: QueueStats | undefined;
  /** With their instants on the clock of `nowMs`. */
  readonly instances: readonly ServiceInstance[] | undefined;
  readonly nowMs: number;
}

/** A process has no rates in its first seconds. For this time, it counts as one that has done nothing yet. */
const newProcessMs = 10_000;

/** Makes the signals of what was read. */
export function signalsOf({ queue, instances, nowMs }: Observed): ScalingSignals {
  const now = (value: number): Signal => ({ value, atMs: nowMs });
  const figures = (role: ScaledRole): RoleFigures | undefined =>
    instances && new RoleFigures(liveOf(instances, role), nowMs);
  const [streamers, collectors, gateways] = [figures("streamer"), figures("collector"), figures("gateway")];
  return {
    queue: {
      waitingMessages: queue && now(queue.readyMessages),
      inFlightMessages: queue && now(queue.inFlightMessages),
      oldestAgeSeconds: queue && now(Math.max(0, queue.oldestAgeMs / 1000)),
      arrivalPerSecond: streamers?.sumOf("published_messages_per_second"),
      drainPerSecond: collectors?.sumOf("stored_messages_per_second"),
    },
    collectors: { failing: collectors?.failing() },
    streamers: {
      targets: streamers?.sumIfAny("targets"),
      ranges: streamers?.sumIfAny("ranges"),
      cpuPercent: streamers?.meanOf("cpu_percent"),
    },
    gateways: {
      clients: gateways?.sumOf("clients"),
      latencyMsP95: gateways?.maxOf("latency_ms_p95"),
      cpuPercent: gateways?.meanOf("cpu_percent"),
    },
  };
}

/** The live processes of a role: those that are listening, and not about to stop. */
export function liveOf(instances: readonly ServiceInstance[], role: ScaledRole): readonly ServiceInstance[] {
  return instances.filter(({ roles, state }) => roles.includes(role) && (state === "ready" || state === "unready"));
}

type FigureName = keyof ServiceInstance["load"];

/** Figures of the processes of a role together. */
class RoleFigures {
  constructor(
    private readonly live: readonly ServiceInstance[],
    private readonly nowMs: number,
  ) {}

  failing(): Signal {
    return this.signal(this.live.filter(({ health }) => health !== "ok").length, this.live);
  }

  /** Unknown if a process that is no longer new does not report the figure. */
  sumOf(name: FigureName): Signal | undefined {
    const reporting = this.reporting(name);
    const isNew = ({ started_at: startedAt }: ServiceInstance): boolean =>
      this.nowMs - Date.parse(startedAt) < newProcessMs;
    const isComplete = this.live.every((instance) => reporting.includes(instance) || isNew(instance));
    return isComplete ? this.signal(sum(reporting, name), reporting) : undefined;
  }

  /** Absent if no process has the figure. */
  sumIfAny(name: FigureName): Signal | undefined {
    const reporting = this.reporting(name);
    return reporting.length === 0 ? undefined : this.signal(sum(reporting, name), reporting);
  }

  meanOf(name: FigureName): Signal | undefined {
    const reporting = this.reporting(name);
    return reporting.length === 0 ? undefined : this.signal(sum(reporting, name) / reporting.length, reporting);
  }

  maxOf(name: FigureName): Signal | undefined {
    const reporting = this.reporting(name);
    const values = reporting.map(({ load }) => load[name] ?? 0);
    return reporting.length === 0 ? undefined : this.signal(Math.max(...values), reporting);
  }

  private reporting(name: FigureName): readonly ServiceInstance[] {
    return this.live.filter(({ load }) => load[name] !== undefined);
  }

  /** A signal is as old as the oldest report in it. */
  private signal(value: number, from: readonly ServiceInstance[]): Signal {
    const atMs = Math.min(this.nowMs, ...from.map(({ updated_at: updatedAt }) => Date.parse(updatedAt)));
    return { value, atMs };
  }
}

function sum(instances: readonly ServiceInstance[], name: FigureName): number {
  return instances.reduce((total, { load }) => total + (load[name] ?? 0), 0);
}
