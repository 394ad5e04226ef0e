import { timeText } from "../../model/format.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveState, LiveStatus } from "../live/live-status.ts";

/** Says whether the page shows the present. */
export function StatusLine({ live }: { readonly live: LiveState }) {
  useEmitter(live.statuses);
  const { status, isLoaded } = live;
  return (
    <p class="status" data-status={status.name.toLowerCase()} role="status" title={reasonOf(status)}>
      {textOf(status, isLoaded)}
    </p>
  );
}

function textOf(status: LiveStatus, isLoaded: boolean): string {
  switch (status.name) {
    case "CONNECTING":
      return "connecting";
    case "LIVE":
      return "live";
    case "REFUSED":
      return "not signed in";
    case "AWAY": {
      const text = `no connection since ${timeText(status.sinceMs)}`;
      return isLoaded ? `${text}, showing the state of then` : text;
    }
  }
}

function reasonOf(status: LiveStatus): string {
  return "reason" in status ? status.reason : "";
}
