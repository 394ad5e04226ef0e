import type { Label } from "../exposition/scanned-exposition.ts";
import { MessageFields } from "./message-fields.ts";
import { readSample } from "./read-sample.ts";
import { familyTypeOf, type WrittenPart, type WrittenSample } from "./written-series.ts";

/** A series as the message has it: texts are numbers of symbols. */
interface ReferringSeries {
  readonly refs: number[];
  readonly samples: WrittenSample[];
  histograms: number;
  exemplars: number;
  type: number;
  helpRef: number;
  unitRef: number;
}

/** The texts of a message. */
interface Texts {
  readonly fields: MessageFields;
  readonly symbols: readonly string[];
}

/** Reads a request of remote write 2.0, `io.prometheus.write.v2.Request`.
 *  Source: https://github.com/prometheus/prometheus/blob/main/prompb/io/prometheus/write/v2/types.proto
 *  @throws UnusablePush where the message cannot be read */
export function* partsOfRequest2(bytes: Uint8Array): Generator<WrittenPart, void, undefined> {
  const fields = new MessageFields(bytes);
  const { symbols, places } = indexOf(fields);
  const texts = { fields, symbols };
  for (const place of places) {
    fields.moveTo(place);
    const series = seriesAt(fields);
    const { samples, histograms, exemplars } = series;
    const { name, labels } = labelsOf(series.refs, texts);
    if (series.type !== 0 || series.helpRef !== 0) {
      const [help, unit] = [symbolAt(texts, series.helpRef), symbolAt(texts, series.unitRef)];
      yield { metadata: { name, type: familyTypeOf(series.type), help, unit } };
    }
    yield { series: { name, labels, samples, histograms, exemplars } };
  }
}

/** The symbols, and the places at which the series begin: a message's fields may be in any order. */
function indexOf(fields: MessageFields): { readonly symbols: readonly string[]; readonly places: readonly number[] } {
  const symbols: string[] = [];
  const places: number[] = [];
  fields.each(fields.length, (field) => {
    if (field === 4) symbols.push(fields.text());
    else if (field === 5) places.push(fields.place);
    else if (field <= 3) throw fields.malformed("it is of version 1.0, and its Content-Type says 2.0");
    return field === 4;
  });
  if (places.length > 0 && symbols[0] !== "") throw fields.malformed("its first symbol is not empty");
  return { symbols, places };
}

function seriesAt(fields: MessageFields): ReferringSeries {
  const found: ReferringSeries = {
    ...{ refs: [], samples: [], histograms: 0, exemplars: 0, type: 0, helpRef: 0, unitRef: 0 },
  };
  fields.each(fields.end(), (field, type) => {
    if (field === 1) fields.numbers(type, found.refs);
    else if (field === 2) found.samples.push(readSample(fields));
    else if (field === 3) found.histograms += 1;
    else if (field === 4) found.exemplars += 1;
    else if (field === 5) readMetadata(fields, found);
    return field <= 2 || field === 5;
  });
  return found;
}

function readMetadata(fields: MessageFields, found: ReferringSeries): void {
  fields.each(fields.end(), (field) => {
    if (field === 1) found.type = fields.number();
    else if (field === 3) found.helpRef = fields.number();
    else if (field === 4) found.unitRef = fields.number();
    else return false;
    return true;
  });
}

function labelsOf(refs: readonly number[], texts: Texts): { name: string; labels: Label[] } {
  if (refs.length % 2 !== 0)
    throw texts.fields.malformed(`a series has ${refs.length} references to symbols, an odd number`);
  const labels: Label[] = [];
  let name = "";
  for (let at = 0; at < refs.length; at += 2) {
    const [label, value] = [symbolAt(texts, refs[at] ?? 0), symbolAt(texts, refs[at + 1] ?? 0)];
    if (label === "__name__" && name === "") name = value;
    else labels.push([label, value]);
  }
  return { name, labels };
}

function symbolAt({ fields, symbols }: Texts, ref: number): string {
  const symbol = symbols[ref];
  if (symbol === undefined) throw fields.malformed(`it refers to symbol ${ref} of ${symbols.length}`);
  return symbol;
}
