import { Type } from "@sinclair/typebox";
import { count } from "../config-setting.ts";

const s3Text = (env: string, description: string, secret = false) =>
  Type.Optional(Type.String({ env, minLength: 1, description, ...(secret ? { secret } : {}) }));

/** The settings of the archive of records in Parquet files. */
export const archiveSettings = {
  archiveTo: Type.Optional(
    Type.String({
      env: "ARCHIVE_TO",
      pattern: "^(?:s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/.*)?|(?!.*://).+)$",
      expects: "a folder, or s3://bucket/prefix",
      description:
        "Folder, or s3://bucket/prefix of a store that speaks S3's protocol, to which collectors write the records of past hours as Parquet files; absent: nowhere",
    }),
  ),
  archiveAfterMinutes: count({
    env: "ARCHIVE_AFTER_MINUTES",
    default: 60,
    minimum: 0,
    maximum: 10_080,
    unit: "minutes",
    description:
      "How long an hour must be over before it is written to ARCHIVE_TO, and below 10 also how long no record may have come for it, otherwise 10; records that come later are added by writing the hour again",
  }),
  s3Endpoint: s3Text("S3_ENDPOINT", "URL of the store of ARCHIVE_TO=s3://...; absent: AWS_ENDPOINT, or Amazon's"),
  s3Region: s3Text("S3_REGION", "Its region; absent: AWS_REGION, or us-east-1"),
  s3AccessKeyId: s3Text("S3_ACCESS_KEY_ID", "Key for it; absent: AWS_ACCESS_KEY_ID"),
  s3SecretAccessKey: s3Text("S3_SECRET_ACCESS_KEY", "Secret of that key; absent: AWS_SECRET_ACCESS_KEY", true),
  s3SessionToken: s3Text("S3_SESSION_TOKEN", "Token of a key that expires; absent: AWS_SESSION_TOKEN", true),
};
