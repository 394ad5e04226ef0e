import { answerOf, GatewayError, GatewayUnreachable, liveTelemetry } from "gpu-telemetry-client";
import { defined } from "../../../src/kit/defined.ts";
import { type Filters, queryOf } from "../fleet.ts";
import type { Output } from "../output.ts";
import { shownMetrics } from "./device.ts";
import type { Fleet } from "./fleet.ts";

/** How far the fleet can be trusted. */
export interface FeedState {
  /** Since when no gateway has sent records; undefined while one does. */
  readonly awaySinceMs: number | undefined;
  /** True if there are more devices than the API lists. */
  readonly isCut: boolean;
  /** Why the gateway refused the last list of devices. */
  readonly problem: string | undefined;
}

/** The most devices that the API lists. */
export const devicesMax = 10_000;
/** The list says who holds a device, and which devices there are; the live feed has only their values. */
const listEveryMs = 15_000;
/** How often the list is read while the live feed has devices that it lacks. */
const missingEveryMs = 2_000;

/** Keeps a fleet up to date: with the list of devices, read again now and then, and with the live feed between. */
export class Feed {
  /** Rejects if the gateway refuses the subscription. */
  readonly ended: Promise<void>;
  private readonly live: ReturnType<typeof liveTelemetry>;
  private readonly timer: ReturnType<typeof setInterval>;
  private current: FeedState;
  private hasUnknown = false;
  private isListing = false;

  private constructor(
    private readonly output: Output,
    private readonly filters: Filters,
    private readonly fleet: Fleet,
  ) {
    this.current = { awaySinceMs: undefined, isCut: fleet.devices.length >= devicesMax, problem: undefined };
    this.live = this.follow();
    this.ended = this.live.ended;
    let listedAtMs = Date.now();
    this.timer = setInterval(() => {
      if (Date.now() - listedAtMs < (this.isMissingDevices ? missingEveryMs : listEveryMs)) return;
      listedAtMs = Date.now();
      void this.list();
    }, 1000);
  }

  /** Reads the devices, and begins to follow them. @throws GatewayError, GatewayUnreachable */
  static async open(output: Output, filters: Filters, fleet: Fleet): Promise<Feed> {
    fleet.replace(await recordsOf(output, filters));
    return new Feed(output, filters, fleet);
  }

  get state(): FeedState {
    return this.current;
  }

  close(): void {
    clearInterval(this.timer);
    this.live.close();
  }

  /** Devices of other models, and those above the limit, stay unknown: a list for each of their records would be for nothing. */
  private get isMissingDevices(): boolean {
    return this.hasUnknown && this.filters.model === undefined && !this.current.isCut;
  }

  private follow(): ReturnType<typeof liveTelemetry> {
    const { url, headers, tls } = this.output;
    const { cluster, host: hostname, namespace } = this.filters;
    return liveTelemetry({
      baseUrl: url,
      // options of Bun
      connect: (at) => new WebSocket(at, defined({ headers, tls })),
      filters: { ...defined({ cluster, hostname, namespace }), metrics: [...shownMetrics] },
      onUpdate: (update) => {
        if (!this.fleet.update(update)) this.hasUnknown = true;
      },
      onMessage: ({ type }) => {
        if (type === "subscribed") this.change({ awaySinceMs: undefined });
      },
      onBreak: () => this.change({ awaySinceMs: this.current.awaySinceMs ?? Date.now() }),
    });
  }

  private async list(): Promise<void> {
    if (this.isListing) return;
    this.isListing = true;
    try {
      const records = await recordsOf(this.output, this.filters);
      this.hasUnknown = false;
      this.fleet.replace(records);
      this.change({ isCut: records.length >= devicesMax, problem: undefined });
    } catch (error) {
      if (error instanceof GatewayError) this.change({ problem: error.message });
      // the feed's state says that no gateway answers
      else if (!(error instanceof GatewayUnreachable)) throw error;
    } finally {
      this.isListing = false;
    }
  }

  private change(change: Partial<FeedState>): void {
    this.current = { ...this.current, ...change };
  }
}

async function recordsOf({ gateway }: Output, filters: Filters) {
  const query = { ...queryOf(filters), limit: devicesMax, metrics: shownMetrics.join() };
  return (await answerOf(gateway.GET("/api/v1/telemetry/latest", { params: { query } }))).data;
}
