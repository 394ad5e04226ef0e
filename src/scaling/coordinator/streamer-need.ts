import { type Need, type NeedInput, readSignals, type RoleNeed } from "./need.ts";
import { counted, shown } from "./reason.ts";

/** The streamers that targets, ranges and processor time need. While the queue slows the streamers, their figures do not
 *  show what they need, and more streamers would not publish more: the count is kept.
 *  @returns a reason to hold if a figure is missing or too old */
export function streamerNeed(input: NeedInput): RoleNeed {
  const { queue, streamers } = input.signals;
  const { waitingMessages, inFlightMessages } = queue;
  const { cpuPercent, targets, ranges } = streamers;
  const read = readSignals(input, { waitingMessages, inFlightMessages, cpuPercent }, { targets, ranges });
  if ("hold" in read) return read;
  const { values } = read;
  const { streamer, collector } = input.policy;
  const depth = values.waitingMessages + values.inFlightMessages;
  if (depth > collector.marks.lowMessages) {
    const text = `${shown(depth)} messages in the queue slow the streamers (from ${collector.marks.lowMessages})`;
    return { hold: { code: "queue_full", text } };
  }
  const { targets: live, ranges: parts } = values;
  const wanted = Math.max(
    (live ?? 0) / streamer.targetsEach,
    (parts ?? 0) / streamer.rangesEach,
    (input.current * values.cpuPercent) / streamer.cpuPercent,
  );
  const need: Need = {
    // one streamer at a time reads a live source or a range: more streamers than these would have nothing to do
    instances: live === undefined && parts === undefined ? wanted : Math.min(wanted, (live ?? 0) + (parts ?? 0)),
    upCode: "load",
    text: textOf(values, streamer.cpuPercent),
    urgent: false,
  };
  return { need };
}

function textOf(
  { targets, ranges, cpuPercent }: { readonly targets?: number; readonly ranges?: number; readonly cpuPercent: number },
  cpuTarget: number,
): string {
  const parts = [
    targets === undefined ? [] : [counted(targets, "target")],
    ranges === undefined ? [] : [counted(ranges, "range")],
    [`a streamer uses ${shown(cpuPercent)} % of a core (target ${cpuTarget} %)`],
  ];
  return parts.flat().join(", ");
}
