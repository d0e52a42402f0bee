//! Positional binary fields: the encoding of host messages, start orders and exit records.
//!
//! Integers are little-endian; a byte string is a `u32` length and its bytes; a list is a `u32` count and its items.
//! Reading past the end yields [`Missing`], which a decoder turns into an error for a field that its first version
//! had, and into a default for a later one.

/// The bytes ended before the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message ends before all of its fields")]
pub struct Missing;

/// Appends fields to a buffer.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// One byte.
    pub fn u8(&mut self, v: u8) -> &mut Self {
        self.0.push(v);
        self
    }
    /// Two bytes.
    pub fn u16(&mut self, v: u16) -> &mut Self {
        self.0.extend_from_slice(&v.to_le_bytes());
        self
    }
    /// Four bytes.
    pub fn u32(&mut self, v: u32) -> &mut Self {
        self.0.extend_from_slice(&v.to_le_bytes());
        self
    }
    /// Eight bytes.
    pub fn u64(&mut self, v: u64) -> &mut Self {
        self.0.extend_from_slice(&v.to_le_bytes());
        self
    }
    /// A byte string.
    pub fn bytes(&mut self, v: &[u8]) -> &mut Self {
        self.u32(u32::try_from(v.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(v);
        self
    }
    /// A text.
    pub fn str(&mut self, v: &str) -> &mut Self {
        self.bytes(v.as_bytes())
    }
    /// A list, item by item.
    pub fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
        for i in items {
            item(self, i);
        }
        self
    }
}

/// Takes fields off the front of a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Missing> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Missing)?;
        self.0 = tail;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Missing> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(Missing)?;
        self.0 = tail;
        Ok(*head)
    }
    /// One byte.
    ///
    /// # Errors
    /// [`Missing`] at the end, as for all of these.
    pub fn u8(&mut self) -> Result<u8, Missing> {
        Ok(self.array::<1>()?[0])
    }
    /// Two bytes.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn u16(&mut self) -> Result<u16, Missing> {
        self.array().map(u16::from_le_bytes)
    }
    /// Four bytes.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn u32(&mut self) -> Result<u32, Missing> {
        self.array().map(u32::from_le_bytes)
    }
    /// Eight bytes.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn u64(&mut self) -> Result<u64, Missing> {
        self.array().map(u64::from_le_bytes)
    }
    /// A byte string.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn bytes(&mut self) -> Result<&'a [u8], Missing> {
        let n = self.u32()? as usize;
        self.take(n)
    }
    /// A text; bytes that are not UTF-8 are replaced, since a text is only ever shown.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn str(&mut self) -> Result<String, Missing> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
    /// A list, item by item. The count is not trusted for an allocation.
    ///
    /// # Errors
    /// [`Missing`].
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Missing>,
    ) -> Result<Vec<T>, Missing> {
        let n = self.u32()?;
        let mut out = Vec::new();
        for _ in 0..n {
            if self.0.is_empty() {
                return Err(Missing);
            }
            out.push(item(self)?);
        }
        Ok(out)
    }
}
