# Writes down the first call of each method of this process, at once.
#
# Loaded by `RUBYOPT` before the program; Ruby 2.4 or newer. Fields are separated by tabs,
# with `\`, tab and newline escaped by `\`; read by `vexxy.tracer.functions.ruby.wire`.

lambda do
  place = __dir__.sub(%r{/[^/]*\z}, "") + "-out/"
  begun = (Process.clock_gettime(Process::CLOCK_MONOTONIC) * 1_000_000).to_i
  mine = __FILE__
  seen = {}
  holder = nil
  name_of = Module.instance_method(:name)
  said = lambda do |text|
    text.to_s.b[0, 1000].gsub(/[\\\t\n]/n, "\\" => "\\\\", "\t" => "\\t", "\n" => "\\n")
  end
  now = -> { format("%.6f", Process.clock_gettime(Process::CLOCK_MONOTONIC)) }
  append = lambda do |fields|
    path = "#{place}ruby-#{Process.pid}-#{begun}"
    path += "-#{Process.euid}" if File.exist?(path) && !File.writable?(path)
    fresh = !File.exist?(path)
    file = File.new(path, File::WRONLY | File::APPEND | File::CREAT, 0o666)
    begin
      file.chmod(0o666) if fresh
      file.syswrite(fields.map { |field| said.call(field) }.join("\t".b) + "\n".b)
    ensure
      file.close
    end
  end
  hello = lambda do |kind|
    holder = Process.pid
    program = begin
      File.readlink("/proc/self/exe")
    rescue SystemCallError
      ""
    end
    append.call(["H", kind, holder, now.call, RUBY_VERSION, begun, program])
  end
  pending = []
  tell = lambda do |fields|
    pending << fields
    begin
      hello.call("fork") unless holder == Process.pid
      append.call(pending.first) && pending.shift until pending.empty?
    rescue SystemCallError, NoMemoryError
      # No descriptor was free, or no space left: told with the next one.
    end
  end
  hello.call("start")
  if RUBY_ENGINE != "ruby"
    tell.call(["R", "methods of #{RUBY_ENGINE} are not recorded"])
    next
  end
  $LOADED_FEATURES.each { |path| tell.call(["B", path]) if path.start_with?("/") && path != mine }
  trace = TracePoint.new(:call) do |point|
    lines = (seen[point.path] ||= {})
    key = point.lineno
    known = (lines[key] ||= {})
    next if known[point.method_id]
    known[point.method_id] = true
    path = point.path
    next if path == mine || path.start_with?("<internal:")
    begin
      owner = point.defined_class
      if owner.singleton_class?
        above = point.self.is_a?(Module) ? point.self.ancestors : []
        owner = above.find { |one| one.singleton_class == owner } || owner
      end
      name = owner.is_a?(Module) ? name_of.bind(owner).call : nil
      stack = caller_locations(1, 30) || []
      callers = stack.drop(1).map { |one| "#{one.absolute_path || one.path}:#{one.lineno} #{one.label}" }
      tell.call(["F", now.call, key, path, [name, point.method_id].compact.join("."), *callers])
    rescue NoMemoryError
      known.delete(point.method_id)
    end
  end
  trace.enable
  if defined?(Ractor)
    Ractor.singleton_class.prepend(Module.new do
      define_method(:new) do |*given, **named, &block|
        tell.call(["R", "methods that Ractors call are not recorded"])
        super(*given, **named, &block)
      end
    end)
  end
end.call
