import { crc32 } from 'node:zlib';

/**
 * A ZIP of stored files. The first one has an Info-ZIP Unicode Path field (0x7075) with its true name in the headers that
 * are named; another reader than ours goes by the plain name beside it.
 */
export function storedZip(
  files: Iterable<readonly [string, string]>,
  where: Partial<Record<'local' | 'central', boolean>>,
): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const [position, [name, text]] of [...files].entries()) {
    const raw = Buffer.from(name);
    const data = Buffer.from(text);
    const second = Buffer.concat([Buffer.alloc(9), raw]);
    second.writeUInt16LE(0x7075, 0);
    second.writeUInt16LE(5 + raw.length, 2);
    second.writeUInt8(1, 4);
    second.writeUInt32LE(crc32(raw), 5);
    const extraIn = (header: 'local' | 'central') =>
      position === 0 && where[header] === true ? second : Buffer.alloc(0);
    const shared = (extra: Buffer) => {
      const bytes = Buffer.alloc(26);
      bytes.writeUInt16LE(10, 0);
      bytes.writeUInt32LE(crc32(data), 10);
      bytes.writeUInt32LE(data.length, 14);
      bytes.writeUInt32LE(data.length, 18);
      bytes.writeUInt16LE(raw.length, 22);
      bytes.writeUInt16LE(extra.length, 24);
      return bytes;
    };
    const local = [
      Buffer.from('PK\x03\x04', 'latin1'),
      shared(extraIn('local')),
      raw,
      extraIn('local'),
      data,
    ];
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    const head = Buffer.from('PK\x01\x02\x0a\x00', 'latin1');
    centrals.push(Buffer.concat([head, shared(extraIn('central')), tail, raw, extraIn('central')]));
    locals.push(Buffer.concat(local));
    offset += locals.at(-1)!.length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(centrals.length, 8);
  end.writeUInt16LE(centrals.length, 10);
  end.writeUInt32LE(Buffer.concat(centrals).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...centrals, end]);
}
