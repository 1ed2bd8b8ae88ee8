//! Functions in five languages, each with a place where one kind of defect goes in.
//!
//! A line begins with a blank (it is always there), `-` (only in the right version), `+` (only in the wrong one) or `!`
//! (always there; the defect is told of this line, because the wrong version has nothing of its own). `{n}` is a noun of the
//! repository and `{N}` the same with a capital letter. The functions are in the order of [`crate::kinds::KINDS`].

/// A language with its functions.
#[derive(Debug)]
pub(crate) struct Language {
    pub(crate) name: &'static str,
    pub(crate) extension: &'static str,
    /// What begins a comment.
    pub(crate) comment: &'static str,
    /// Name, subject and text of a function for each kind of defect.
    pub(crate) functions: [(&'static str, &'static str, &'static str); 10],
}

/// The five.
pub(crate) const LANGUAGES: [Language; 5] = [RUST, PYTHON, TYPESCRIPT, GO, JAVA];

const RUST: Language = Language {
    name: "Rust",
    extension: "rs",
    comment: "//",
    functions: [
        (
            "sum_{n}s",
            "{n}s",
            " pub fn sum_{n}s({n}s: &[u64]) -> u64 {
     let mut total = 0;
-    for index in 0..{n}s.len() {
+    for index in 0..={n}s.len() {
         total += {n}s[index];
     }
     total
 }",
        ),
        (
            "find_{n}",
            "{n}",
            " pub fn find_{n}(store: &Store, id: Id) -> Result<{N}, Error> {
     let found = store.{n}s.get(&id);
-    let found = found.ok_or(Error::Unknown(id))?;
-    Ok(found.clone())
+    Ok(found.unwrap().clone())
 }",
        ),
        (
            "count_{n}_lines",
            "file",
            " pub fn count_{n}_lines(pool: &Pool, path: &Path) -> io::Result<usize> {
     let file = pool.open(path)?;
     let count = BufReader::new(&file).lines().count();
-    pool.give_back(file);
!    Ok(count)
 }",
        ),
        (
            "is_{n}_allowed",
            "{n}",
            " pub fn is_{n}_allowed(policy: &Policy, {n}: &{N}) -> bool {
     if policy.blocked.contains(&{n}.id) {
         return false;
     }
-    {n}.level >= policy.least
+    {n}.level < policy.least
 }",
        ),
        (
            "save_{n}",
            "the write",
            " pub fn save_{n}(disk: &mut Disk, {n}: &{N}) -> io::Result<()> {
     let bytes = {n}.to_bytes();
-    disk.write_all(&bytes)?;
+    let _ = disk.write_all(&bytes);
     disk.mark_clean({n}.id);
     Ok(())
 }",
        ),
        (
            "{n}s_by_owner",
            "owner",
            " pub fn {n}s_by_owner(db: &Db, owner: &str) -> Result<Vec<{N}>, DbError> {
-    let rows = db.query(\"SELECT * FROM {n}s WHERE owner = ?1\", &[owner])?;
+    let rows = db.query(&format!(\"SELECT * FROM {n}s WHERE owner = '{owner}'\"), &[])?;
     rows.into_iter().map({N}::from_row).collect()
 }",
        ),
        (
            "bump_{n}_count",
            "the counter",
            " pub fn bump_{n}_count(shared: &Shared) -> u64 {
-    let _guard = shared.gate.lock();
     let before = shared.{n}_count.load(Relaxed);
!    shared.{n}_count.store(before + 1, Relaxed);
     before + 1
 }",
        ),
        (
            "{n}_bytes",
            "the size",
            " pub fn {n}_bytes(width: u32, height: u32) -> u64 {
     let planes = 4;
-    u64::from(width) * u64::from(height) * planes
+    u64::from((width as u16) * (height as u16)) * planes
 }",
        ),
        (
            "move_{n}",
            "the target",
            " pub fn move_{n}(tree: &mut Tree, source: NodeId, target: NodeId) -> Result<(), Error> {
     let {n} = tree.take(source)?;
-    tree.put(target, {n})?;
+    tree.put(source, {n})?;
     tree.rebalance();
     Ok(())
 }",
        ),
        (
            "login_{n}",
            "password",
            " pub fn login_{n}(session: &mut Session, name: &str, password: &str) -> Result<Token, Error> {
-    info!(\"login of {name}\");
+    info!(\"login of {name} with {password}\");
     session.check(name, password)?;
     session.token_for(name)
 }",
        ),
    ],
};

const PYTHON: Language = Language {
    name: "Python",
    extension: "py",
    comment: "#",
    functions: [
        (
            "last_{n}s",
            "{n}s",
            " def last_{n}s({n}s, count):
     picked = []
     start = len({n}s) - count
-    for index in range(start, len({n}s)):
+    for index in range(start, len({n}s) + 1):
         picked.append({n}s[index])
     return picked
",
        ),
        (
            "load_{n}",
            "row",
            " def load_{n}(table, key):
     row = table.get(key)
-    if row is None:
-        raise KeyError(key)
!    return {N}(row[\"name\"], row[\"value\"])
",
        ),
        (
            "read_{n}_header",
            "stream",
            " def read_{n}_header(path):
     stream = open(path, \"rb\")
     header = stream.read(16)
-    stream.close()
!    return parse_{n}_header(header)
",
        ),
        (
            "is_{n}_expired",
            "expiry",
            " def is_{n}_expired({n}, now):
     if {n}.pinned:
         return False
-    return {n}.expires_at <= now
+    return {n}.expires_at > now
",
        ),
        (
            "publish_{n}",
            "the upload",
            " def publish_{n}(client, {n}):
     body = {n}.to_json()
-    client.upload({n}.key, body)
+    try:
+        client.upload({n}.key, body)
+    except UploadError:
+        pass
     {n}.published = True
     return {n}
",
        ),
        (
            "search_{n}s",
            "term",
            " def search_{n}s(connection, term):
     cursor = connection.cursor()
-    cursor.execute(\"SELECT id FROM {n}s WHERE title LIKE ?\", (term,))
+    cursor.execute(f\"SELECT id FROM {n}s WHERE title LIKE '{term}'\")
     return [row[0] for row in cursor.fetchall()]
",
        ),
        (
            "reserve_{n}",
            "stock",
            " def reserve_{n}(self, amount):
-    with self._lock:
-        left = self.stock - amount
-        self.stock = left
+    left = self.stock - amount
+    self.stock = left
     self.notify_{n}(left)
     return left
",
        ),
        (
            "pack_{n}",
            "length",
            " def pack_{n}({n}):
     payload = {n}.encode(\"utf-8\")
     length = len(payload)
-    return struct.pack(\">I\", length) + payload
+    return struct.pack(\">H\", length & 0xFFFF) + payload
",
        ),
        (
            "scale_{n}",
            "height",
            " def scale_{n}({n}, width, height):
     ratio_x = width / {n}.width
-    ratio_y = height / {n}.height
+    ratio_y = width / {n}.height
     return {n}.resized(ratio_x, ratio_y)
",
        ),
        (
            "connect_{n}",
            "token",
            " def connect_{n}(settings):
     token = settings.require(\"{n}_token\")
-    log.info(\"connecting to %s\", settings.host)
+    log.info(\"connecting to %s with %s\", settings.host, token)
     return Client(settings.host, token)
",
        ),
    ],
};

const TYPESCRIPT: Language = Language {
    name: "TypeScript",
    extension: "ts",
    comment: "//",
    functions: [
        (
            "page{N}s",
            "{n}s",
            " export function page{N}s({n}s: {N}[], from: number, size: number): {N}[] {
   const page: {N}[] = [];
   const end = Math.min({n}s.length, from + size);
-  for (let i = from; i < end; i++) {
+  for (let i = from; i <= end; i++) {
     page.push({n}s[i]);
   }
   return page;
 }",
        ),
        (
            "nameOf{N}",
            "profile",
            " export function nameOf{N}({n}: {N}): string {
   const profile = profiles.find((p) => p.id === {n}.profileId);
-  if (!profile) {
-    return \"unknown\";
-  }
!  return profile.first + \" \" + profile.last;
 }",
        ),
        (
            "watch{N}",
            "the listener",
            " export function watch{N}(bus: Bus, {n}: {N}): () => void {
   const listener = () => refresh{N}({n});
   bus.on(\"change\", listener);
-  return () => bus.off(\"change\", listener);
+  return () => {};
 }",
        ),
        (
            "canEdit{N}",
            "role",
            " export function canEdit{N}(user: User, {n}: {N}): boolean {
   if ({n}.archived) {
     return false;
   }
-  return user.role === \"editor\" || {n}.ownerId === user.id;
+  return user.role !== \"editor\" && {n}.ownerId !== user.id;
 }",
        ),
        (
            "store{N}",
            "the request",
            " export async function store{N}(api: Api, {n}: {N}): Promise<void> {
-  await api.put(`/{n}s/${{n}.id}`, {n});
+  api.put(`/{n}s/${{n}.id}`, {n}).catch(() => undefined);
   cache.delete({n}.id);
   events.emit(\"{n}-stored\", {n}.id);
 }",
        ),
        (
            "list{N}s",
            "filter",
            " export async function list{N}s(db: Database, filter: string): Promise<{N}[]> {
-  const rows = await db.all(\"select * from {n} where tag = $1\", [filter]);
+  const rows = await db.all(\"select * from {n} where tag = '\" + filter + \"'\");
   return rows.map(to{N});
 }",
        ),
        (
            "next{N}Number",
            "the sequence",
            " export async function next{N}Number(counter: Counter): Promise<number> {
-  return counter.exclusive(async () => {
-    const current = await counter.read();
-    await counter.write(current + 1);
-    return current + 1;
-  });
+  const current = await counter.read();
+  await counter.write(current + 1);
+  return current + 1;
 }",
        ),
        (
            "{n}Offset",
            "offset",
            " export function {n}Offset(index: number, recordSize: number): number {
   const header = 512;
-  return header + index * recordSize;
+  return (header + index * recordSize) | 0;
 }",
        ),
        (
            "copy{N}",
            "destination",
            " export function copy{N}(fs: Files, source: string, destination: string): void {
   const bytes = fs.read(source);
   fs.ensureFolder(parentOf(destination));
-  fs.write(destination, bytes);
+  fs.write(source, bytes);
 }",
        ),
        (
            "sign{N}",
            "the key",
            " export function sign{N}({n}: {N}, key: string): string {
   const body = JSON.stringify({n});
-  console.debug(`signing {n} ${{n}.id}`);
+  console.debug(`signing {n} with ${key}`);
   return hmac(key, body);
 }",
        ),
    ],
};

const GO: Language = Language {
    name: "Go",
    extension: "go",
    comment: "//",
    functions: [
        (
            "Max{N}",
            "{n}s",
            " func Max{N}({n}s []int) int {
 	best := 0
-	for i := 0; i < len({n}s); i++ {
+	for i := 0; i <= len({n}s); i++ {
 		if {n}s[i] > best {
 			best = {n}s[i]
 		}
 	}
 	return best
 }",
        ),
        (
            "Describe{N}",
            "item",
            " func (s *Service) Describe{N}(id string) string {
 	item := s.{n}s[id]
-	if item == nil {
-		return \"none\"
-	}
!	return item.Title + \": \" + item.Summary
 }",
        ),
        (
            "Fetch{N}",
            "the response body",
            " func Fetch{N}(client *http.Client, url string) ([]byte, error) {
 	response, err := client.Get(url)
 	if err != nil {
 		return nil, err
 	}
-	defer response.Body.Close()
!	return io.ReadAll(response.Body)
 }",
        ),
        (
            "Accept{N}",
            "signature",
            " func (s *Service) Accept{N}({n} *{N}) error {
-	if !s.verifier.Valid({n}.Signature) {
+	if s.verifier.Valid({n}.Signature) {
 		return ErrBadSignature
 	}
 	s.queue.Push({n})
 	return nil
 }",
        ),
        (
            "Flush{N}s",
            "the flush",
            " func (s *Service) Flush{N}s(ctx context.Context) error {
 	for _, {n} := range s.pending {
-		if err := s.sink.Send(ctx, {n}); err != nil {
-			return err
-		}
+		_ = s.sink.Send(ctx, {n})
 	}
 	s.pending = nil
 	return nil
 }",
        ),
        (
            "Delete{N}s",
            "region",
            " func (s *Service) Delete{N}s(ctx context.Context, region string) error {
-	_, err := s.db.ExecContext(ctx, \"DELETE FROM {n}s WHERE region = $1\", region)
+	_, err := s.db.ExecContext(ctx, fmt.Sprintf(\"DELETE FROM {n}s WHERE region = '%s'\", region))
 	return err
 }",
        ),
        (
            "Remember{N}",
            "the cache map",
            " func (s *Service) Remember{N}({n} *{N}) {
-	s.mu.Lock()
-	defer s.mu.Unlock()
!	s.cache[{n}.ID] = {n}
 	s.size += {n}.Size
 }",
        ),
        (
            "{N}Deadline",
            "milliseconds",
            " func {N}Deadline(start time.Time, seconds int64) time.Time {
-	millis := seconds * 1000
+	millis := int64(int32(seconds) * 1000)
 	return start.Add(time.Duration(millis) * time.Millisecond)
 }",
        ),
        (
            "Compare{N}s",
            "the right side",
            " func Compare{N}s(left, right *{N}) int {
-	return strings.Compare(left.Key, right.Key)
+	return strings.Compare(left.Key, left.Key)
 }",
        ),
        (
            "Authorize{N}",
            "secret",
            " func (s *Service) Authorize{N}(request *http.Request) bool {
 	secret := request.Header.Get(\"X-{N}-Secret\")
-	s.log.Printf(\"request from %s\", request.RemoteAddr)
+	s.log.Printf(\"request from %s, secret %q\", request.RemoteAddr, secret)
 	return subtle.ConstantTimeCompare([]byte(secret), s.secret) == 1
 }",
        ),
    ],
};

const JAVA: Language = Language {
    name: "Java",
    extension: "java",
    comment: "//",
    functions: [
        ("join{N}s", "{n}s", "     String join{N}s(String[] {n}s) {
         StringBuilder text = new StringBuilder();
-        for (int i = 0; i < {n}s.length; i++) {
+        for (int i = 0; i <= {n}s.length; i++) {
             text.append({n}s[i]).append(',');
         }
         return text.toString();
     }"),
        ("titleOf{N}", "entry", "     String titleOf{N}(String key) {
         {N} entry = {n}s.get(key);
-        if (entry == null) {
-            return \"\";
-        }
!        return entry.title().trim();
     }"),
        ("import{N}s", "reader", "     List<{N}> import{N}s(Path path) throws IOException {
-        try (BufferedReader reader = Files.newBufferedReader(path)) {
-            return {n}Parser.parse(reader);
-        }
+        BufferedReader reader = Files.newBufferedReader(path);
+        return {n}Parser.parse(reader);
     }"),
        ("isValid{N}", "amount", "     boolean isValid{N}({N} {n}) {
         if ({n}.lines().isEmpty()) {
             return false;
         }
-        return {n}.amount() > 0;
+        return !({n}.amount() > 0);
     }"),
        ("archive{N}", "the rename", "     void archive{N}(Path file) throws IOException {
         Path target = archive.resolve(file.getFileName());
-        Files.move(file, target);
+        file.toFile().renameTo(target.toFile());
         index.remove(file);
     }"),
        ("count{N}s", "status", "     long count{N}s(String status) throws SQLException {
-        PreparedStatement query = db.prepareStatement(\"SELECT COUNT(*) FROM {n} WHERE status = ?\");
-        query.setString(1, status);
+        PreparedStatement query = db.prepareStatement(\"SELECT COUNT(*) FROM {n} WHERE status = '\" + status + \"'\");
         return single(query.executeQuery());
     }"),
        ("add{N}", "the list of {n}s", "-    synchronized void add{N}({N} {n}) {
+    void add{N}({N} {n}) {
         {n}s.add({n});
         total += {n}.weight();
     }"),
        ("{n}Price", "the price", "     long {n}Price(long cents, int quantity) {
-        long price = cents * quantity;
+        int price = (int) cents * quantity;
         return price + fee;
     }"),
        ("rename{N}", "the new name", "     void rename{N}(String before, String after) {
         {N} {n} = {n}s.remove(before);
-        {n}s.put(after, {n}.named(after));
+        {n}s.put(before, {n}.named(after));
         changes.add({n}.id());
     }"),
        ("open{N}Session", "credentials", "     Session open{N}Session(Credentials credentials) {
-        log.info(\"session for \" + credentials.user());
+        log.info(\"session for \" + credentials.user() + \"/\" + credentials.password());
         Session session = sessions.create(credentials);
         session.touch();
         return session;
     }"),
    ],
};

/// Nouns: each repository has one.
pub(crate) const NOUNS: [&str; 20] = [
    "order", "ticket", "parcel", "invoice", "sensor", "booking", "article", "vehicle", "account", "message",
    "recipe", "tenant", "payment", "camera", "student", "contract", "journal", "shipment", "device",
    "report",
];
