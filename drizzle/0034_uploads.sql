CREATE TABLE "upload_parts" (
	"upload_id" text NOT NULL,
	"number" integer NOT NULL,
	"bytes" "bytea" NOT NULL,
	CONSTRAINT "upload_parts_pkey" PRIMARY KEY("upload_id","number")
);
--> statement-breakpoint
CREATE TABLE "uploads" (
	"id" text PRIMARY KEY NOT NULL,
	"state" text NOT NULL,
	"message" text DEFAULT '' NOT NULL,
	"file_name" text NOT NULL,
	"cluster_id" text NOT NULL,
	"hostname" text,
	"client" text NOT NULL,
	"sender" text NOT NULL,
	"content_id" text,
	"part_bytes" integer NOT NULL,
	"received_bytes" bigint DEFAULT 0 NOT NULL,
	"expected_bytes" bigint,
	"stored_bytes" bigint DEFAULT 0 NOT NULL,
	"content_bytes" bigint,
	"progress" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "uploads_content" ON "uploads" USING btree ("content_id") WHERE state in ('queued', 'reading', 'done');--> statement-breakpoint
ALTER TABLE "upload_parts" ALTER COLUMN "bytes" SET STORAGE EXTERNAL;--> statement-breakpoint
COMMENT ON TABLE "uploads" IS 'Tables that clients have uploaded, and what has become of them';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."id" IS 'ULID: later uploads have greater ids';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."state" IS 'receiving, queued, reading, done, cancelled or failed';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."message" IS 'A sentence that explains the state';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."file_name" IS 'The name that the client gives the file';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."cluster_id" IS 'Cluster of rows that name none';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."hostname" IS 'Host of rows that name none; NULL: these are rejected';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."client" IS 'The key or address whose turn it takes';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."sender" IS 'Name of the key that sent it';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."content_id" IS 'Made from the bytes, the cluster and the host; NULL until all bytes have arrived';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."part_bytes" IS 'Size of each part before it is packed, in bytes, except the last one';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."received_bytes" IS 'Bytes that have arrived';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."expected_bytes" IS 'Size that the sender has announced, in bytes; NULL: none';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."stored_bytes" IS 'Size of all its parts as they are kept, in bytes';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."content_bytes" IS 'Size of the content, unpacked, in bytes; NULL until it is known';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."progress" IS 'Sums over its stored messages: rows, records, samples, rejected inputs by reason, bytes of the content';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."created_at" IS 'When it began';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."changed_at" IS 'When bytes were last received or rows last read';--> statement-breakpoint
COMMENT ON COLUMN "uploads"."finished_at" IS 'When it ended; NULL: it has not';--> statement-breakpoint
COMMENT ON TABLE "upload_parts" IS 'Bytes of uploads that are not finished';--> statement-breakpoint
COMMENT ON COLUMN "upload_parts"."upload_id" IS 'uploads.id';--> statement-breakpoint
COMMENT ON COLUMN "upload_parts"."number" IS 'Number of the part, from 0';--> statement-breakpoint
COMMENT ON COLUMN "upload_parts"."bytes" IS 'Bytes of the part, packed with zstd';
