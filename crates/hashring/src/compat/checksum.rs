//! CRC-32 (reflected, 0xEDB88320), as zlib, nginx, twemproxy and HAProxy compute it.

/// Eight tables: `TABLES[k][b]` is byte `b` followed by `k` zero bytes (Kounavis and Berry 2005).
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0_u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[k - 1][byte];
            tables[k][byte] = (crc >> 8) ^ tables[0][(crc & 0xFF) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// `state` carried on over `bytes`: begin with `u32::MAX`, and invert at the end.
pub(super) fn update(state: u32, bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(8);
    let rest = words.remainder();
    let mut crc = state;
    for word in words {
        let low = crc ^ u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        let from = |table: usize, value: u32| TABLES[table][(value & 0xFF) as usize];
        crc = from(7, low)
            ^ from(6, low >> 8)
            ^ from(5, low >> 16)
            ^ from(4, low >> 24)
            ^ from(3, word[4].into())
            ^ from(2, word[5].into())
            ^ from(1, word[6].into())
            ^ from(0, word[7].into());
    }
    for &byte in rest {
        crc = (crc >> 8) ^ TABLES[0][((crc ^ u32::from(byte)) & 0xFF) as usize];
    }
    crc
}

/// The checksum of `bytes`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !update(u32::MAX, bytes)
}

#[cfg(test)]
mod tests {
    use super::crc32;

    /// The check value of the catalogue, and the same in one byte at a time.
    #[test]
    fn the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let bytes: alloc::vec::Vec<u8> = (0..100).collect();
        let single = |bytes: &[u8]| bytes.chunks(1).fold(u32::MAX, super::update);
        for end in 0..100 {
            assert_eq!(crc32(&bytes[..end]), !single(&bytes[..end]));
        }
    }
}
