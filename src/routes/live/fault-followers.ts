import type { ChangeFilter } from "../../faults/stored-fault.ts";
import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import type { ApiFaultNews } from "../schemas/fault.ts";
import type { LiveSocket } from "./live-socket.ts";
import type { LiveView } from "./live-view.ts";
import type { ControlMessage } from "./messages.ts";

/** How often the store is asked for changes of faults. */
const lookEveryMs = 1000;
/** The most changes that are sent to a client at once, about 150 KB: those that follow wait until it has read them. */
const changesAtOnce = 100;

/** A client that follows the changes of faults. */
interface Follower {
  readonly socket: LiveSocket;
  readonly view: LiveView;
  /** The id that the client chose, sent with each change. */
  readonly id: string | undefined;
  readonly filter: ChangeFilter;
  /** The greatest sequence that was sent; undefined until it is known where to begin. */
  sequence: number | undefined;
}

interface FaultFollowersOptions {
  readonly clock: Clock;
  /** Called when the store does not answer; what is missed then follows later. */
  readonly onFaultsUnread: (reason: string) => void;
}

/** Sends the changes of faults to the clients that follow them, in the order of their sequence. A client that reads slowly, or that comes
 *  again with the last sequence that it knows, misses none: the changes wait in the store. Clients that may see the same, have the same
 *  filters and are at the same place share a question. */
export class FaultFollowers {
  private readonly followers = new Map<LiveSocket, Follower>();
  private isLooking = false;

  constructor(private readonly options: FaultFollowersOptions) {}

  /** @param since the greatest sequence that the client knows; undefined: only later changes are sent
   *  @returns false if the socket follows faults already */
  follow(
    socket: LiveSocket,
    view: LiveView,
    { id, since, filter }: { readonly id?: string; readonly since?: number; readonly filter: ChangeFilter },
  ): boolean {
    if (this.followers.has(socket)) return false;
    this.followers.set(socket, { socket, view, id, filter, sequence: since });
    if (!this.isLooking) void this.look();
    return true;
  }

  /** @returns the id that the client chose; false if the socket does not follow faults */
  unfollow(socket: LiveSocket): { readonly id: string | undefined } | false {
    const follower = this.followers.get(socket);
    this.followers.delete(socket);
    return follower === undefined ? false : { id: follower.id };
  }

  /** Asks again and again until no client follows. */
  private async look(): Promise<void> {
    this.isLooking = true;
    while (this.followers.size > 0) {
      await this.tellAll();
      await this.options.clock.sleep(lookEveryMs);
    }
    this.isLooking = false;
  }

  /** Asks once if nothing has changed, however many filters there are. */
  private async tellAll(): Promise<void> {
    let newest: number | undefined;
    for (const group of this.groups()) {
      if (newest !== undefined && group[0]?.sequence === newest) continue;
      newest = await this.tell(group).catch((error: unknown) => {
        this.options.onFaultsUnread(messageOf(error));
        return undefined;
      });
    }
  }

  /** The clients that keep up, by what they may see, what they ask for, and where they are. */
  private groups(): Follower[][] {
    const groups = new Map<string, Follower[]>();
    for (const follower of this.followers.values()) {
      const { stateName } = follower.socket;
      if (stateName === "CLOSED" || stateName === "CLOSING") this.followers.delete(follower.socket);
      if (stateName !== "OPEN") continue;
      const key = JSON.stringify([follower.view.key, follower.filter, follower.sequence]);
      groups.set(key, [...(groups.get(key) ?? []), follower]);
    }
    return [...groups.values()];
  }

  /** @returns the sequence of the newest change; undefined if more follow */
  private async tell(group: readonly Follower[]): Promise<number | undefined> {
    const [first] = group;
    if (first === undefined) return undefined;
    const { news, sequence } = await first.view.faults.news(first.sequence, changesAtOnce, first.filter);
    for (const follower of group) {
      const { socket, id } = follower;
      if (this.followers.get(socket) !== follower) continue;
      if (follower.sequence === undefined) socket.send({ type: "faults_subscribed", sequence, ...withId(id) });
      follower.sequence = sequence;
      for (const each of news) socket.send(messageFor(each, id));
    }
    return news.length < changesAtOnce ? sequence : undefined;
  }
}

function messageFor(news: ApiFaultNews, id: string | undefined): ControlMessage {
  return { type: "fault_change", ...news, ...withId(id) };
}

function withId(id: string | undefined) {
  return id === undefined ? {} : { id };
}
