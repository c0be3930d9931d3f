//! Ways to cut an input into chunks.

/// The input whole, byte by byte, and in chunks whose lengths hang on the input alone.
pub(crate) fn chunkings(bytes: &[u8]) -> [Vec<&[u8]>; 3] {
    [vec![bytes], bytes.chunks(1).collect(), uneven(bytes)]
}

fn uneven(bytes: &[u8]) -> Vec<&[u8]> {
    // FNV-1a as a seed, then xorshift.
    let mut state = bytes.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    }) | 1;
    let mut chunks = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Mostly short ones, now and then a long or an empty one.
        let length = if state.is_multiple_of(7) { state >> 32 & 0x1FF } else { state >> 32 & 7 };
        let (chunk, tail) = rest.split_at(rest.len().min(length as usize));
        chunks.push(chunk);
        rest = tail;
    }
    chunks
}
