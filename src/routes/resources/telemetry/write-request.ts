import type { WriteProtocol } from "../../../pipeline/source/remote-write.ts";
import { unsupportedHeader } from "./body-errors.ts";

const messages: Readonly<Record<string, WriteProtocol>> = {
  "prometheus.writerequest": "1.0",
  "io.prometheus.write.v2.request": "2.0",
};
const mediaType = "application/x-protobuf";

/** The content types of remote write. */
export const writeTypes = [
  `${mediaType};proto=prometheus.WriteRequest`,
  `${mediaType};proto=io.prometheus.write.v2.Request`,
];

/** The version in which a request is written.
 *  Source: https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#protocol, "Receivers ... MUST ... 415"
 *  @throws ApiError 415 with what is supported */
export function writeProtocolOf({ headers }: Pick<Request, "headers">): WriteProtocol {
  const type = headers.get("content-type") ?? "";
  const [media = "", ...parameters] = type.split(";").map((part) => part.trim().toLowerCase());
  const named = parameters.find((parameter) => parameter.startsWith("proto="))?.slice("proto=".length);
  // a sender of 1.0 need not name the message
  const name = (named ?? "prometheus.WriteRequest").replace(/^"(.*)"$/, "$1").toLowerCase();
  const protocol = media === mediaType && Object.hasOwn(messages, name) ? messages[name] : undefined;
  if (protocol === undefined) throw unsupportedHeader("content-type", type, writeTypes);
  const coding = headers.get("content-encoding") ?? "";
  if (coding.trim().toLowerCase() !== "snappy") throw unsupportedHeader("content-encoding", coding, ["snappy"]);
  return protocol;
}
