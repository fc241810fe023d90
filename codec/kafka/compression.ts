import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';

/** How the records of a batch are compressed, as Kafka names it. */
export const COMPRESSIONS = ['zstd', 'gzip', 'none'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** What stands for it in the attributes of a batch. Source: https://kafka.apache.org/documentation/#recordbatch */
export const compressionCodes: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 };

const gzipped = promisify(gzip);
const zstandard = promisify(zstdCompress);

/** Compress beside the main thread, at the fastest levels: further ones cost several times as much for a few percent. */
export const compress: Readonly<Record<Exclude<Compression, 'none'>, (records: Buffer) => Promise<Buffer>>> = {
  gzip: async (records) => await gzipped(records, { level: 1 }),
  zstd: async (records) => await zstandard(records, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
};
