ALTER TABLE "quarantine" DROP CONSTRAINT "quarantine_place";--> statement-breakpoint
ALTER TABLE "quarantine" ADD COLUMN "item" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "quarantine" ADD CONSTRAINT "quarantine_place" UNIQUE("source_id","item","byte_offset","field");