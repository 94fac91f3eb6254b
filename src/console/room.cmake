# Boost.Beast and Asio are headers only. The thread sanitizer does not know Asio's fences, which a
# single thread does not need.
target_compile_definitions(sluice_console PRIVATE BOOST_ASIO_DISABLE_FENCED_BLOCK)

# The page, as its sources built it (web/README.md), becomes a part of the program.
function(sluice_console_page)
  set(unit ${CMAKE_BINARY_DIR}/console_page.cc)
  set(parts "kPageHtml=index.html" "kPageScript=console.js" "kPageStyle=console.css")
  set(text "#include \"console/page.h\"\n\nnamespace sluice::console {\n\n")
  foreach(part IN LISTS parts)
    string(REPLACE "=" ";" part ${part})
    list(GET part 0 name)
    list(GET part 1 file)
    set(file ${CMAKE_SOURCE_DIR}/web/dist/${file})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} bytes)
    string(APPEND text "const std::string_view ${name} = R\"~page~(${bytes})~page~\";\n")
  endforeach()
  string(APPEND text "\n}  // namespace sluice::console\n")
  file(WRITE ${unit}.new "${text}")
  file(COPY_FILE ${unit}.new ${unit} ONLY_IF_DIFFERENT)
  target_sources(sluice_console PRIVATE ${unit})
endfunction()
sluice_console_page()
