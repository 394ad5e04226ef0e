import { count } from "../config-setting.ts";

/** The settings of tables that clients upload. */
export const uploadSettings = {
  uploadMaxMebibytes: count({
    env: "UPLOAD_MAX_MIB",
    default: 4096,
    minimum: 1,
    maximum: 1_048_576,
    unit: "MiB",
    description: "Largest table that a gateway accepts as an upload, as it is sent, and also after it is unpacked",
  }),
  uploadsMax: count({
    env: "UPLOADS_MAX",
    default: 16,
    minimum: 2,
    maximum: 1000,
    unit: "uploads",
    description: "The most uploads that are received, wait or are read at a time; one client may have half of them",
  }),
  uploadsSpaceMebibytes: count({
    env: "UPLOADS_SPACE_MIB",
    default: 2048,
    minimum: 1,
    maximum: 1_048_576,
    unit: "MiB",
    description:
      "Space in the database that the bytes of all uploads may take until they are read; they are packed, to about a tenth for tables of telemetry",
  }),
};
