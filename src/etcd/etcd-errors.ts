import {
  EtcdAuthenticationFailedError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCInvalidArgumentError,
} from "etcd3";
import {
  EtcdCompacted,
  EtcdOutOfSpace,
  EtcdRefused,
  EtcdUnavailable,
  LeaseGone,
  TelemetryError,
} from "../domain/errors.ts";
import { messageOf } from "../kit/message-of.ts";

/** Translates an error of etcd or etcd3 into the class that callers handle.
 *  @param operation for the message: "a transaction at etcd http://etcd-0:2379"
 *  @returns `cause` itself if it is a TelemetryError */
export function translateEtcdError(cause: unknown, operation: string): TelemetryError {
  if (cause instanceof TelemetryError) return cause;
  const text = etcdMessage(cause);
  if (text.includes("database space exceeded")) {
    return new EtcdOutOfSpace(
      `${operation} was refused: etcd's database has reached its quota (alarm NOSPACE). etcd accepts writes again once its history is compacted, its files are defragmented and the alarm is disarmed. If this happens again, raise --quota-backend-bytes.`,
      { cause },
    );
  }
  // a value that is to be written again, but was deleted with its lease
  const isValueGone = text.includes("etcdserver: key not found");
  if (cause instanceof EtcdLeaseInvalidError || text.includes("requested lease not found") || isValueGone) {
    return new LeaseGone(`${operation} was refused: its lease has ended`, { cause });
  }
  if (text.includes("required revision has been compacted")) {
    return new EtcdCompacted(`${operation} was refused: the revision has been compacted`, { cause });
  }
  if (isRefusal(cause, text)) return new EtcdRefused(`${operation} was refused: ${text}`, { cause });
  return new EtcdUnavailable(`${operation} failed: ${text}`, { cause });
}

/** The message of an error of etcd3 or of a stream, without the parts that gRPC leaves empty or says twice:
 *  "14 UNAVAILABLE: No connection established. Last error: null. Resolution note: ". */
export function etcdMessage(cause: unknown): string {
  return messageOf(cause)
    .replace(/ Last error: null\./g, "")
    .replace(/\.? Resolution note: (?=:|$)/g, "")
    .replace(/^(.+): \1$/s, "$1");
}

function isRefusal(cause: unknown, text: string): boolean {
  return (
    cause instanceof EtcdPermissionDeniedError ||
    cause instanceof EtcdAuthenticationFailedError ||
    (cause instanceof GRPCInvalidArgumentError && !text.includes("auth token")) ||
    text.includes("request is too large") ||
    text.includes("too many operations")
  );
}
