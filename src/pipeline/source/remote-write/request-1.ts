import type { Label } from "../exposition/scanned-exposition.ts";
import { MessageFields } from "./message-fields.ts";
import { readSample } from "./read-sample.ts";
import {
  familyTypeOf,
  type WrittenMetadata,
  type WrittenPart,
  type WrittenSample,
  type WrittenSeries,
} from "./written-series.ts";

/** Reads a request of remote write 1.0, `prometheus.WriteRequest`.
 *  Source: https://github.com/prometheus/prometheus/blob/main/prompb/remote.proto and types.proto
 *  @throws UnusablePush where the message cannot be read */
export function* partsOfRequest1(bytes: Uint8Array): Generator<WrittenPart, void, undefined> {
  const fields = new MessageFields(bytes);
  while (!fields.isAtEnd) {
    let part: WrittenPart | undefined;
    fields.next((field) => {
      if (field === 1) part = { series: seriesOf(fields) };
      else if (field === 3) part = { metadata: metadataOf(fields) };
      // the numbers of one version are reserved in the other
      else if (field === 4 || field === 5)
        throw fields.malformed("it is of version 2.0, and its Content-Type says 1.0");
      return part !== undefined;
    });
    if (part !== undefined) yield part;
  }
}

function seriesOf(fields: MessageFields): WrittenSeries {
  const found = { name: "", labels: [] as Label[], samples: [] as WrittenSample[], histograms: 0, exemplars: 0 };
  fields.each(fields.end(), (field) => {
    if (field === 1) addLabel(fields, found);
    else if (field === 2) found.samples.push(readSample(fields));
    else if (field === 3) found.exemplars += 1;
    else if (field === 4) found.histograms += 1;
    return field <= 2;
  });
  return found;
}

function addLabel(fields: MessageFields, found: { name: string; readonly labels: Label[] }): void {
  let [name, value] = ["", ""];
  fields.each(fields.end(), (field) => {
    if (field === 1) name = fields.text();
    else if (field === 2) value = fields.text();
    return field <= 2;
  });
  if (name === "__name__" && found.name === "") found.name = value;
  else found.labels.push([name, value]);
}

function metadataOf(fields: MessageFields): WrittenMetadata {
  const found = { name: "", type: familyTypeOf(0), help: "", unit: "" };
  fields.each(fields.end(), (field) => {
    if (field === 1) found.type = familyTypeOf(fields.number());
    else if (field === 2) found.name = fields.text();
    else if (field === 4) found.help = fields.text();
    else if (field === 5) found.unit = fields.text();
    else return false;
    return true;
  });
  return found;
}
